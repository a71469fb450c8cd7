// npm run events             writes the JSON Schemas, the AsyncAPI document and the table in docs/events.md
// npm run events -- release  adds what is new to the release record, when nobody is left behind
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { publishedEvents } from '../src/index.ts';
import { brokenReleases, describeBroken, unreleased } from '../src/compatibility/index.ts';
import { generatedFiles, leftOverFiles } from './generated-files.ts';
import { addToRecord, readReleased } from './release-files.ts';
import { ROOT } from './repository.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const generate = (): void => {
  const files = generatedFiles();
  for (const [path, content] of files) {
    mkdirSync(dirname(join(ROOT, path)), { recursive: true });
    writeFileSync(join(ROOT, path), content);
  }
  for (const path of leftOverFiles(files)) rmSync(join(ROOT, path));
  say(`${files.size} files written`);
};

const main = (argument: string | undefined): number => {
  if (argument !== undefined && argument !== 'release') {
    say(`"${argument}" is not known; say "release" or nothing`);
    return 2;
  }
  generate();
  const released = readReleased();
  const broken = brokenReleases(released, publishedEvents);
  if (broken.length > 0) {
    say(`\n${describeBroken(broken)}`);
    return 1;
  }
  const fresh = unreleased(released, publishedEvents);
  if (argument === 'release') addToRecord(fresh);
  for (const { name, revision } of fresh) {
    say(`${name}, revision ${revision}: ${argument === 'release' ? 'put on record' : 'not on record yet'}`);
  }
  return 0;
};

process.exitCode = main(process.argv[2]);
