import { type SpawnOptions, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

/** On Linux: a process that has ended and waits for its parent to collect it; it still takes signals. */
const isZombie = (pid: number): boolean => {
  try {
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

/** Signal 0 asks the kernel; EPERM means alive and not ours. */
export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
};

/** A pid from a file may belong to another program by now: on Linux the command line must hold the given word. */
export const isAliveAs = (pid: number, word: string): boolean => {
  if (!(Number.isInteger(pid) && pid > 0) || !isAlive(pid)) return false;
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(word);
  } catch {
    return true;
  }
};

/** @returns false when the condition did not hold in time */
export const until = async (
  condition: () => boolean | Promise<boolean>,
  deadlineMs: number,
  everyMs = 20,
): Promise<boolean> => {
  const end = Date.now() + deadlineMs;
  for (;;) {
    if (await condition()) return true;
    if (Date.now() >= end) return false;
    await pause(everyMs);
  }
};

const KILL_DEADLINE_MS = 1_000;

const send = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // It ended in between, which is what was wanted.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
};

/** Asks a process to end, and after the deadline makes it. One that is gone already is no error. */
export const stopProcess = async (pid: number, signal: NodeJS.Signals, deadlineMs: number): Promise<void> => {
  if (!isAlive(pid)) return;
  send(pid, signal);
  if (await until(() => !isAlive(pid), deadlineMs)) return;
  send(pid, 'SIGKILL');
  await until(() => !isAlive(pid), KILL_DEADLINE_MS);
};

/**
 * Starts a process in a session of its own: Ctrl-C in our terminal does not reach it (we end it, in order), and it
 * outlives us if we are killed (the next start adopts it).
 */
export const spawnDetached = (
  command: string,
  args: readonly string[],
  options: { logFile: string; uid?: number; gid?: number; env?: NodeJS.ProcessEnv; cwd?: string },
): Promise<number> => {
  const log = openSync(options.logFile, 'a');
  const spawnOptions: SpawnOptions = {
    detached: true,
    stdio: ['ignore', log, log],
    env: options.env ?? process.env,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.gid === undefined ? {} : { gid: options.gid }),
  };
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, spawnOptions);
    child.once('error', (error) => {
      closeSync(log);
      reject(error);
    });
    child.once('spawn', () => {
      closeSync(log);
      child.unref();
      resolve(child.pid!);
    });
  });
};
