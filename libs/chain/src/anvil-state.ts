import { DomainError } from '@gridbourse/kernel';
import { copyFile, open, rename, rm, stat } from 'node:fs/promises';

/**
 * anvil writes its state file in place, every second: killed while it writes, it leaves half a file, and refuses to
 * start from it. So a copy of the last whole one is kept beside it.
 */
const copyOf = (stateFile: string): string => `${stateFile}.copy`;
/** The last field anvil writes: a file that ends with it is whole. */
const ENDING = /"historical_states":(?:null|\[\]|\{\})\}\s*$/;
const GUARD_EVERY_MS = 500;

const isWhole = async (file: string): Promise<boolean> => {
  const handle = await open(file, 'r').catch(() => null);
  if (handle === null) return false;
  try {
    const { size } = await handle.stat();
    const tail = Buffer.alloc(Math.min(64, size));
    await handle.read(tail, 0, tail.length, size - tail.length);
    return ENDING.test(tail.toString('latin1'));
  } finally {
    await handle.close();
  }
};

const versionOf = async (file: string): Promise<string> => {
  const { mtimeMs, size } = await stat(file);
  return `${mtimeMs} ${size}`;
};

const exists = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  );

/** Copies the state file if it is whole and stays as it is meanwhile; true when it did. */
const keepCopy = async (stateFile: string): Promise<boolean> => {
  const copy = `${copyOf(stateFile)}.new`;
  const before = await versionOf(stateFile);
  if (!(await isWhole(stateFile))) return false;
  await copyFile(stateFile, copy);
  if ((await versionOf(stateFile)) !== before || !(await isWhole(copy))) return false;
  await rename(copy, copyOf(stateFile));
  return true;
};

/**
 * Makes the state file one that anvil can start from.
 * @throws DomainError `chain_state_unreadable` when neither it nor the copy is whole.
 */
export const restoreStateFile = async (stateFile: string): Promise<void> => {
  if (!(await exists(stateFile)) && !(await exists(copyOf(stateFile)))) return;
  if (await isWhole(stateFile)) return;
  if (!(await isWhole(copyOf(stateFile)))) {
    throw new DomainError(
      'internal',
      'chain_state_unreadable',
      `the chain's state file ${stateFile} is broken, and there is no whole copy of it`,
    );
  }
  await rm(stateFile, { force: true });
  await copyFile(copyOf(stateFile), stateFile);
};

/** Keeps the copy up to date while a chain writes its state file. */
export const guardStateFile = (stateFile: string): { stop(): void } => {
  let copied = '';
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const turn = async (): Promise<void> => {
    try {
      const version = await versionOf(stateFile);
      if (version !== copied && (await keepCopy(stateFile))) copied = version;
    } catch {
      // Not written yet, or just being written: the next turn looks again.
    }
    if (!stopped) timer = setTimeout(() => void turn(), GUARD_EVERY_MS).unref();
  };
  void turn();
  return {
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
};
