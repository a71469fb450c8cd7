import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { holderOf, openDataDir } from './data-dir.ts';

describe('a data folder', () => {
  let path: string;
  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), 'gridbourse-data-'));
  });
  afterEach(() => rmSync(path, { recursive: true, force: true }));

  it('is made, keeps what is written, and is let go of', () => {
    const folder = join(path, 'new', 'one');
    const dir = openDataDir(folder, 'node');
    expect(dir.read('none.json')).toBeUndefined();
    dir.write('thing.json', { a: 1 });
    dir.release();
    expect(openDataDir(folder, 'node').read('thing.json')).toEqual({ a: 1 });
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('is refused while another process holds it, and taken when that one is gone', () => {
    openDataDir(path, 'node').release();
    // Our own parent lives, and its command line holds an empty word.
    writeFileSync(join(path, 'holder.pid'), `${process.ppid} \n`);
    expect(holderOf(path)).toBe(process.ppid);
    expect(() => openDataDir(path, 'node')).toThrow('already runs on the data folder');
    // A stranger with that number now.
    writeFileSync(join(path, 'holder.pid'), `${process.ppid} some-other-program-altogether\n`);
    expect(holderOf(path)).toBeUndefined();
    openDataDir(path, 'node');
  });

  it.each([
    [0, 'an older'],
    [99, 'a newer'],
  ])('of layout %i is refused as written by %s Gridbourse, and left as it is', (version, words) => {
    writeFileSync(join(path, 'layout.json'), JSON.stringify({ version }));
    expect(() => openDataDir(path, 'node')).toThrow(`was written by ${words} Gridbourse`);
    expect(readdirSync(path)).toEqual(['layout.json']);
  });

  it('is not made of a folder with other things in it', () => {
    writeFileSync(join(path, 'thesis.tex'), '');
    expect(() => openDataDir(path, 'node')).toThrow('it holds thesis.tex');
    expect(readdirSync(path)).toEqual(['thesis.tex']);
  });

  it('is taken over from a start that was killed before it had marked the folder', () => {
    writeFileSync(join(path, 'holder.pid'), '999999999 node\n');
    writeFileSync(join(path, 'layout.json.0a1b2c3d.tmp'), '{');
    openDataDir(path, 'node');
    expect(existsSync(join(path, 'layout.json'))).toBe(true);
  });

  it('is refused to another program; one of before belongs to the only program there was', () => {
    openDataDir(path, 'cluster').release();
    expect(() => openDataDir(path, 'standalone')).toThrow('belongs to the cluster');
    openDataDir(path, 'cluster').release();
    writeFileSync(join(path, 'layout.json'), JSON.stringify({ version: 1 }));
    expect(() => openDataDir(path, 'cluster')).toThrow('belongs to the standalone');
    expect(openDataDir(path, 'standalone').read('layout.json')).toEqual({
      version: 1,
      program: 'standalone',
    });
  });
});
