import { type SpawnOptions, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** Signal 0 asks the kernel; EPERM means alive and not ours. */
export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
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

/** Asks a process to end, and after the deadline makes it. */
export const stopProcess = async (pid: number, signal: NodeJS.Signals, deadlineMs: number): Promise<void> => {
  if (!isAlive(pid)) return;
  process.kill(pid, signal);
  if (await until(() => !isAlive(pid), deadlineMs)) return;
  process.kill(pid, 'SIGKILL');
  await until(() => !isAlive(pid), 1_000);
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

export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });

/** True when nobody listens there now. */
export const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
