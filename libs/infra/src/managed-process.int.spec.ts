// Real: processes, their pid files.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManagedProcess } from './managed-process.ts';
import { isAlive, until } from './processes.ts';

describe('a managed process', () => {
  let folder: string;
  let made: ManagedProcess[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'gridbourse-managed-'));
    made = [];
  });
  afterEach(async () => {
    for (const one of made) await one.kill();
    rmSync(folder, { recursive: true, force: true });
  });

  const READY_FILE = 'is-up';
  /** Writes a file when it is up, unless told otherwise. */
  const manage = (code = `require('fs').writeFileSync('${READY_FILE}', ''); setInterval(() => {}, 1e6)`) => {
    const one = new ManagedProcess({
      name: 'worker',
      word: 'managed-test',
      command: process.execPath,
      args: ['-e', code, 'managed-test'],
      cwd: folder,
      stateDir: join(folder, 'state'),
      logFile: join(folder, 'logs', 'worker.log'),
      ready: () => Promise.resolve(existsSync(join(folder, READY_FILE))),
      startDeadlineMs: 20_000,
      stopDeadlineMs: 5_000,
    });
    made.push(one);
    return one;
  };

  it('is there when start resolves, and gone when stop does', async () => {
    const one = manage();
    expect(one.alive).toBe(false);
    await one.start();
    expect([one.alive, existsSync(join(folder, READY_FILE))]).toEqual([true, true]);
    await one.stop();
    expect(one.alive).toBe(false);
  });

  it('is seen to be dead, and can be started again', async () => {
    const one = manage();
    await one.start();
    const first = one.processId;
    process.kill(first, 'SIGKILL');
    expect(await until(() => !one.alive, 5_000)).toBe(true);
    await one.start();
    expect([one.alive, one.processId === first]).toEqual([true, false]);
  });

  it('ends what an earlier starter left running, so that there are never two', async () => {
    const before = manage();
    await before.start();
    const after = manage(); // as the starter's next life: it knows nothing but the pid file
    expect(after.alive).toBe(true);
    await after.start();
    expect([isAlive(before.processId), after.alive]).toEqual([false, true]);
  });

  it('says where to look when it ends at once', async () => {
    await expect(manage('process.exit(3)').start()).rejects.toThrow(
      `worker does not come up; ${join(folder, 'logs', 'worker.log')} says why`,
    );
  });
});
