import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addToRecord, readReleased } from '../tools/release-files.ts';

const entry = { name: 'shop.ItemAdded.v1', revision: 1, schema: { type: 'object' } };
const FILE = 'shop.ItemAdded.v1.r1.json';
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'release-record-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('the files of the release record', () => {
  it('give back what was put on record, in any number of steps', () => {
    expect(readReleased(folder)).toEqual([]);
    addToRecord([entry], folder);
    addToRecord([{ ...entry, revision: 2 }], folder);
    expect(readReleased(folder)).toEqual([entry, { ...entry, revision: 2 }]);
  });

  it('are never written over', () => {
    addToRecord([entry], folder);
    expect(() => addToRecord([{ ...entry, schema: {} }], folder)).toThrow('EEXIST');
    expect(readReleased(folder)).toEqual([entry]);
  });

  it('cannot be edited, lost or slipped in unnoticed', () => {
    addToRecord([entry], folder);
    const path = join(folder, FILE);
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replace('object', 'array'));
    expect(() => readReleased(folder)).toThrow(`${FILE} was changed after it was released`);
    rmSync(path);
    expect(() => readReleased(folder)).toThrow(`${FILE} is in the ledger and missing`);
    writeFileSync(path, text);
    writeFileSync(join(folder, 'shop.ItemAdded.v1.r2.json'), text);
    expect(() => readReleased(folder)).toThrow('shop.ItemAdded.v1.r2.json is not in the ledger');
  });
});
