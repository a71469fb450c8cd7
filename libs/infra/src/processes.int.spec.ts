// Real: processes, sockets.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isAlive, isAliveAs, spawnDetached, stopProcess, until } from './processes.ts';

describe('a process of ours', () => {
  let folder: string;
  let pids: number[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'gridbourse-process-'));
    pids = [];
  });
  afterEach(async () => {
    for (const pid of pids) await stopProcess(pid, 'SIGKILL', 1_000);
    rmSync(folder, { recursive: true, force: true });
  });

  const logFile = (): string => join(folder, 'log');
  const start = async (code: string): Promise<number> => {
    const pid = await spawnDetached(process.execPath, ['-e', `${code}; console.log('up')`], {
      logFile: logFile(),
    });
    pids.push(pid);
    expect(await until(() => readFileSync(logFile(), 'utf8').includes('up'), 10_000)).toBe(true);
    return pid;
  };
  const WAIT = 'setInterval(() => {}, 1e6)';

  it('is known by a word of its command line, so that a stranger with its number is not taken for it', async () => {
    const pid = await start(WAIT);
    expect([isAlive(pid), isAliveAs(pid, 'setInterval'), isAliveAs(pid, 'postgres')]).toEqual([
      true,
      true,
      false,
    ]);
    expect([isAliveAs(0, 'node'), isAliveAs(Number.NaN, 'node')]).toEqual([false, false]);
  });

  it('ends when asked', async () => {
    const pid = await start(`process.on('SIGTERM', () => { console.log('bye'); process.exit() }); ${WAIT}`);
    await stopProcess(pid, 'SIGTERM', 10_000);
    expect(isAlive(pid)).toBe(false);
    expect(readFileSync(logFile(), 'utf8')).toContain('bye');
    await stopProcess(pid, 'SIGTERM', 10_000);
  });

  it('is made to end when it does not hear', async () => {
    const pid = await start(`process.on('SIGTERM', () => {}); ${WAIT}`);
    await stopProcess(pid, 'SIGTERM', 50);
    expect(isAlive(pid)).toBe(false);
  });

  it('says so when the program is not there', async () => {
    await expect(spawnDetached(join(folder, 'none'), [], { logFile: logFile() })).rejects.toThrow('ENOENT');
  });
});
