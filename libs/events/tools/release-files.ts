import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type JsonSchema } from '../src/index.ts';
import { type ReleasedSchema } from '../src/compatibility/index.ts';
import { asJson } from './generated-files.ts';
import { RELEASED, ROOT } from './repository.ts';

// The release record: one file for each schema that was ever released, and a ledger of their digests. Files are added
// and never changed: an edit, a lost file, or one that is not in the ledger makes the record unreadable.
const LEDGER = 'ledger.json';
const FILE = /^(.+\.v\d+)\.r(\d+)\.json$/;
const RECORD = join(ROOT, RELEASED);

type Ledger = Record<string, string>;

const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');
const fileOf = ({ name, revision }: ReleasedSchema): string => `${name}.r${revision}.json`;

const readLedger = (folder: string): Ledger =>
  existsSync(join(folder, LEDGER)) ? (JSON.parse(readFileSync(join(folder, LEDGER), 'utf8')) as Ledger) : {};

/** @throws Error that names every file that is not as it was released */
export const readReleased = (folder = RECORD): ReleasedSchema[] => {
  const ledger = readLedger(folder);
  const texts = new Map(
    (existsSync(folder) ? readdirSync(folder) : [])
      .filter((file) => file !== LEDGER)
      .sort()
      .map((file) => [file, readFileSync(join(folder, file), 'utf8')]),
  );
  const faults = [
    ...[...texts].flatMap(([file, text]) => {
      if (!(file in ledger)) return [`${file} is not in the ledger`];
      return ledger[file] === digestOf(text) ? [] : [`${file} was changed after it was released`];
    }),
    ...Object.keys(ledger)
      .filter((file) => !texts.has(file))
      .map((file) => `${file} is in the ledger and missing`),
  ];
  if (faults.length > 0) throw new Error(`${folder}: ${faults.join('; ')}. Restore it: it is never edited.`);
  return [...texts].map(([file, text]) => {
    const [, name, revision] = FILE.exec(file) ?? [];
    if (!name) throw new Error(`${file} is not named like <name>.v<version>.r<revision>.json`);
    return { name, revision: Number(revision), schema: JSON.parse(text) as JsonSchema };
  });
};

/** @throws Error `EEXIST` for a revision that is on record already */
export const addToRecord = (schemas: readonly ReleasedSchema[], folder = RECORD): void => {
  mkdirSync(folder, { recursive: true });
  const ledger = readLedger(folder);
  for (const entry of schemas) {
    const text = asJson(entry.schema);
    writeFileSync(join(folder, fileOf(entry)), text, { flag: 'wx' });
    ledger[fileOf(entry)] = digestOf(text);
  }
  const sorted = Object.fromEntries(Object.entries(ledger).sort(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(join(folder, LEDGER), asJson(sorted));
};
