import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAliveAs } from './processes.ts';
import { StartError } from './start-error.ts';

/** Raised when an older data folder can no longer be brought up to date by migrations alone. */
const LAYOUT_VERSION = 1;
/** Folders of before had no program in them, and there was only this one. */
const FIRST_PROGRAM = 'standalone';

type Layout = { readonly version: number; readonly program?: string };

export type DataDir = {
  readonly path: string;
  file(...parts: string[]): string;
  /** JSON of a file, undefined where there is none. */
  read<T>(name: string): T | undefined;
  /** Replaces the file whole or not at all. */
  write(name: string, value: unknown): void;
  remove(name: string): void;
  release(): void;
};

const lockFile = (path: string): string => join(path, 'holder.pid');

/** The process that holds the folder, if it lives. */
export const holderOf = (path: string): number | undefined => {
  const file = lockFile(path);
  if (!existsSync(file)) return undefined;
  const [pid = '', program = ''] = readFileSync(file, 'utf8').trim().split(' ');
  return Number(pid) !== process.pid && isAliveAs(Number(pid), program) ? Number(pid) : undefined;
};

/**
 * Takes a data folder for this process; made if need be.
 * @param program a word of this process's command line, by which a later start knows it from a stranger with its pid
 * @throws StartError when another platform runs on the folder, or a newer one or another program has written it
 */
export const openDataDir = (path: string, program: string): DataDir => {
  mkdirSync(path, { recursive: true, mode: 0o755 });
  const holder = holderOf(path);
  if (holder !== undefined) {
    throw new StartError(
      `Gridbourse already runs on the data folder ${path} (process ${holder}).`,
      'Use that one, stop it first, or name another folder with GRIDBOURSE_DATA_DIR and other ports.',
    );
  }
  writeFileSync(lockFile(path), `${process.pid} ${program}\n`);

  const dir: DataDir = {
    path,
    file: (...parts) => join(path, ...parts),
    read: <T>(name: string) => {
      const file = join(path, name);
      return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as T) : undefined;
    },
    write: (name, value) => {
      const temporary = join(path, `${name}.${randomBytes(4).toString('hex')}.tmp`);
      writeFileSync(temporary, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
      renameSync(temporary, join(path, name));
    },
    remove: (name) => rmSync(join(path, name), { force: true }),
    release: () => rmSync(lockFile(path), { force: true }),
  };

  const layout = dir.read<Layout>('layout.json');
  const refuse = (problem: string, advice: string): never => {
    dir.release();
    throw new StartError(problem, advice);
  };
  if (layout && layout.version > LAYOUT_VERSION) {
    refuse(
      `The data folder ${path} was written by a newer Gridbourse (layout ${layout.version}; this one knows ${LAYOUT_VERSION}).`,
      'Update this checkout, or start with a new folder named by GRIDBOURSE_DATA_DIR.',
    );
  }
  const owner = layout ? (layout.program ?? FIRST_PROGRAM) : program;
  if (owner !== program) {
    refuse(
      `The data folder ${path} belongs to the ${owner}, and its events are where the ${program} would not look.`,
      `Start the ${owner} on it, or name another folder with GRIDBOURSE_DATA_DIR.`,
    );
  }
  if (layout?.program === undefined) dir.write('layout.json', { version: LAYOUT_VERSION, program });
  return dir;
};
