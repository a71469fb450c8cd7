import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { parseManifest } from '../src/index.ts';

describe('the manifest in the README', () => {
  it('is read without a warning, and is what the README says', () => {
    const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');
    const [manifest] = [...readme.matchAll(/```yaml\n(.*?)```/gs)].map((match) => match[1]!);
    const { spec, warnings } = parseManifest(manifest!);
    expect(warnings).toEqual([]);
    expect(spec).toMatchObject({
      durationSeconds: 3_600,
      groups: [
        {
          services: [
            {
              maxRateMicrosPerHour: 1_000_000n,
              resources: { gpu: { count: 1, sharing: { mode: 'whole' }, models: [{ model: 'rtx4090' }] } },
            },
          ],
        },
      ],
    });
  });
});
