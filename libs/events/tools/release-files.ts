import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type JsonSchema } from '../src/index.ts';
import { type ReleasedSchema } from '../src/compatibility/index.ts';
import { asJson } from './generated-files.ts';
import { RELEASED, ROOT } from './repository.ts';

/**
 * The release record: one file for each schema that was ever released, and a ledger of their digests. Files are added and
 * never changed: an edit, a lost file, or one that is not in the ledger makes the record unreadable.
 */
const folder = join(ROOT, RELEASED);
const ledgerPath = join(folder, 'ledger.json');
const FILE = /^(.+\.v\d+)\.r(\d+)\.json$/;

type Ledger = Record<string, string>;

const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');
const fileOf = ({ name, revision }: ReleasedSchema): string => `${name}.r${revision}.json`;
const readLedger = (): Ledger =>
  existsSync(ledgerPath) ? (JSON.parse(readFileSync(ledgerPath, 'utf8')) as Ledger) : {};

/** @throws Error that names every file that is not as it was released */
export const readReleased = (): ReleasedSchema[] => {
  const ledger = readLedger();
  const present = existsSync(folder) ? readdirSync(folder).filter((file) => file !== 'ledger.json') : [];
  const faults = [
    ...present.filter((file) => !(file in ledger)).map((file) => `${file} is not in the ledger`),
    ...Object.keys(ledger)
      .filter((file) => !present.includes(file))
      .map((file) => `${file} is in the ledger and missing`),
    ...present
      .filter((file) => file in ledger && digestOf(readFileSync(join(folder, file), 'utf8')) !== ledger[file])
      .map((file) => `${file} was changed after it was released`),
  ];
  if (faults.length > 0)
    throw new Error(`${RELEASED}: ${faults.join('; ')}. Restore it: it is never edited.`);
  return present.sort().map((file) => {
    const [, name, revision] = FILE.exec(file) ?? [];
    if (!name) throw new Error(`${RELEASED}/${file} is not named like <name>.v<version>.r<revision>.json`);
    const schema = JSON.parse(readFileSync(join(folder, file), 'utf8')) as JsonSchema;
    return { name, revision: Number(revision), schema };
  });
};

export const addToRecord = (schemas: readonly ReleasedSchema[]): void => {
  mkdirSync(folder, { recursive: true });
  const ledger = readLedger();
  for (const entry of schemas) {
    const file = fileOf(entry);
    const text = asJson(entry.schema);
    writeFileSync(join(folder, file), text, { flag: 'wx' });
    ledger[file] = digestOf(text);
  }
  const sorted = Object.fromEntries(Object.entries(ledger).sort(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(ledgerPath, asJson(sorted));
};
