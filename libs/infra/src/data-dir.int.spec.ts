// Real: the file system.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDataDir } from './data-dir.ts';

describe('a data folder', () => {
  let path: string;
  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), 'gridbourse-data-'));
  });
  afterEach(() => rmSync(path, { recursive: true, force: true }));

  it('keeps what was written, and is opened again by the same program', () => {
    const first = openDataDir(path, 'cluster');
    first.write('thing.json', { a: 1 });
    first.release();
    expect(openDataDir(path, 'cluster').read('thing.json')).toEqual({ a: 1 });
  });

  it('is refused to another program, and to one of before only the first may come', () => {
    openDataDir(path, 'cluster').release();
    expect(() => openDataDir(path, 'standalone')).toThrow(/belongs to the cluster/);
    openDataDir(path, 'cluster').release();
    writeFileSync(join(path, 'layout.json'), JSON.stringify({ version: 1 }));
    expect(() => openDataDir(path, 'cluster')).toThrow(/belongs to the standalone/);
    openDataDir(path, 'standalone').release();
    expect(openDataDir(path, 'standalone').read('layout.json')).toEqual({
      version: 1,
      program: 'standalone',
    });
  });

  it('is refused when a newer version has written it', () => {
    writeFileSync(join(path, 'layout.json'), JSON.stringify({ version: 99, program: 'standalone' }));
    expect(() => openDataDir(path, 'standalone')).toThrow(/newer Gridbourse \(layout 99/);
  });
});
