import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAliveAs } from './processes.ts';
import { StartError } from './start-error.ts';

/** Raised when an older data folder can no longer be brought up to date by migrations alone. */
const LAYOUT_VERSION = 1;
const LAYOUT = 'layout.json';
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

/** What a start that was killed at once may have left before the folder was marked as ours. */
const FIRST_FILES = /^(holder\.pid|layout\.json\..*\.tmp)$/;

/** A folder with something else in it is not taken: `npm run reset` would erase that too. */
const demandOurs = (path: string): void => {
  if (existsSync(join(path, LAYOUT))) return;
  const stranger = readdirSync(path).find((name) => !FIRST_FILES.test(name));
  if (stranger === undefined) return;
  throw new StartError(
    `The folder ${path} is no data folder of Gridbourse, and it is not empty (it holds ${stranger}).`,
    'Name an empty or a new folder with GRIDBOURSE_DATA_DIR.',
  );
};

const otherVersion = (path: string, version: number): StartError =>
  version > LAYOUT_VERSION
    ? new StartError(
        `The data folder ${path} was written by a newer Gridbourse (layout ${version}; this one knows ${LAYOUT_VERSION}).`,
        'Update this checkout, or start with a new folder named by GRIDBOURSE_DATA_DIR.',
      )
    : new StartError(
        `The data folder ${path} was written by an older Gridbourse (layout ${version}; this one needs ${LAYOUT_VERSION}).`,
        'Check out the release that wrote it, name a new folder with GRIDBOURSE_DATA_DIR, or erase it with npm run reset.',
      );

const otherProgram = (path: string, owner: string, program: string): StartError =>
  new StartError(
    `The data folder ${path} belongs to the ${owner}, and its events are where the ${program} would not look.`,
    `Start the ${owner} on it, or name another folder with GRIDBOURSE_DATA_DIR.`,
  );

/**
 * Takes a data folder for this process; made if need be.
 * @param program a word of this process's command line, by which a later start knows it from a stranger with its pid
 * @throws StartError when another platform runs on the folder, when it is not ours, or when another version or another
 *   program has written it
 */
export const openDataDir = (path: string, program: string): DataDir => {
  mkdirSync(path, { recursive: true, mode: 0o755 });
  demandOurs(path);
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

  const layout = dir.read<Layout>(LAYOUT);
  const refuse = (error: StartError): never => {
    dir.release();
    throw error;
  };
  if (layout && layout.version !== LAYOUT_VERSION) refuse(otherVersion(path, layout.version));
  const owner = layout ? (layout.program ?? FIRST_PROGRAM) : program;
  if (owner !== program) refuse(otherProgram(path, owner, program));
  if (layout?.program === undefined) dir.write(LAYOUT, { version: LAYOUT_VERSION, program });
  return dir;
};
