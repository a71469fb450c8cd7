import { describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { firstDifference } from './first-difference.ts';
import { generatedFiles, leftOverFiles } from '../tools/generated-files.ts';
import { EVENTS_PAGE, ROOT } from '../tools/repository.ts';

describe('what is generated from the events', () => {
  const files = generatedFiles();

  it('is committed as npm run events writes it', () => {
    const stale = [...files].flatMap(([path, content]) => {
      const place = join(ROOT, path);
      const committed = existsSync(place) ? readFileSync(place, 'utf8') : '';
      const difference = firstDifference(committed, content);
      return difference ? [`${path}, ${difference}`] : [];
    });
    const advice = stale.length > 0 ? 'run "npm run events" and commit what it writes' : '';
    expect({ advice, stale }).toEqual({ advice: '', stale: [] });
  });

  it('leaves no file of an event that is gone', () => {
    expect(leftOverFiles(files)).toEqual([]);
  });
});

describe('the page about events', () => {
  const page = readFileSync(join(ROOT, EVENTS_PAGE), 'utf8');
  const examples = [...page.matchAll(/^( *)```ts\n *\/\/ from (\S+)\n([\s\S]*?)^ *```$/gm)];
  const lines = (text: string): string => text.replaceAll(/^ +/gm, '').trim();

  it.each(examples.map(([, , file, code]) => [file!, code!] as const))('quotes %s as it is', (file, code) => {
    expect(lines(readFileSync(join(ROOT, file), 'utf8'))).toContain(lines(code));
  });

  it('quotes every example from somewhere', () => {
    expect(examples.length).toBeGreaterThanOrEqual(3);
    expect(page.match(/```ts/g)).toHaveLength(examples.length);
  });
});
