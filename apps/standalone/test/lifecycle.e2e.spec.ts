import { GridbourseClient } from '@gridbourse/sdk';
import { eventually } from '@gridbourse/testing';
import { PlatformProcess, STARTING_TEST_MS } from '@gridbourse/testing/platform';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

// Real here: everything, as `npm start` starts it.

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

describe('starting and stopping', () => {
  let platform: PlatformProcess;
  const pids = () => ({
    postgres: platform.read<{ pid: number }>('postgres.json').pid,
    chain: platform.read<{ pid: number }>('chain.json').pid,
    market: platform.read<{ pid: number }>('market.json').pid,
  });
  const account = async () => {
    const client = new GridbourseClient({
      origin: platform.origin,
      auth: { apiKey: platform.tenant.apiKey },
    });
    return { ...(await client.account()), escrow: await client.escrow() };
  };

  beforeAll(async () => {
    platform = await PlatformProcess.prepare();
    await platform.start();
    expect((await platform.cli(['escrow', 'deposit', '7'])).code).toBe(0);
    // What the chain has confirmed to the tenant is seen by the platform a moment later: only then is there a "before".
    await eventually(
      async () => {
        const { escrow } = await account();
        expect([escrow.deposited.usdc, escrow.spendingLimit === null]).toEqual(['7.00', false]);
      },
      { deadlineMs: 10_000 },
    );
  }, STARTING_TEST_MS);
  afterAll(() => platform.discard(), 60_000);

  it('says where everything is, and what to type next', () => {
    for (const part of [
      `${platform.origin}/v1`,
      `${platform.origin}/docs`,
      `127.0.0.1:${platform.grpcPort}`,
      platform.chainUrl,
      platform.tenant.apiKey,
      'npm run demo',
    ]) {
      expect(platform.output).toContain(part);
    }
  });

  it(
    'Ctrl-C ends every process, and the next start has all data of before',
    async () => {
      const before = await account();
      const left = pids();
      expect(await platform.stop('SIGINT')).toBeLessThan(10_000);
      for (const [name, pid] of Object.entries(left))
        expect({ name, alive: alive(pid) }).toEqual({ name, alive: false });
      await platform.start();
      expect(await account()).toEqual(before);
    },
    STARTING_TEST_MS,
  );

  it(
    'a closed terminal ends every process too',
    async () => {
      const left = pids();
      await platform.closeTerminal();
      for (const [name, pid] of Object.entries(left))
        expect({ name, alive: alive(pid) }).toEqual({ name, alive: false });
      await platform.start();
    },
    STARTING_TEST_MS,
  );

  it(
    'after kill -9 the next start adopts what was left running',
    async () => {
      const before = await account();
      const left = pids();
      await platform.kill();
      for (const [name, pid] of Object.entries(left))
        expect({ name, alive: alive(pid) }).toEqual({ name, alive: true });
      await platform.start();
      expect(pids()).toEqual(left);
      expect(await account()).toEqual(before);
    },
    STARTING_TEST_MS,
  );

  it(
    'after kill -9 of everything the next start replaces it and has lost nothing',
    async () => {
      const before = await account();
      const left = pids();
      await platform.kill();
      for (const pid of Object.values(left)) process.kill(pid, 'SIGKILL');
      await platform.start();
      expect(await account()).toEqual(before);
    },
    STARTING_TEST_MS,
  );

  it.each(['chain', 'postgres'] as const)(
    'goes on when the %s dies under it',
    async (name) => {
      const before = await account();
      process.kill(pids()[name], 'SIGKILL');
      const client = new GridbourseClient({
        origin: platform.origin,
        auth: { apiKey: platform.tenant.apiKey },
        deadlineMs: 30_000,
      });
      await eventually(
        async () => {
          expect(alive(pids()[name])).toBe(true);
          expect((await fetch(`${platform.origin}/health/ready`)).status).toBe(200);
          expect(await client.escrow()).toEqual(before.escrow);
        },
        { deadlineMs: 30_000 },
      );
    },
    STARTING_TEST_MS,
  );

  it(
    'a second platform on the same folder is one clear sentence',
    async () => {
      const again = spawn(process.execPath, [new URL('../dist/main.js', import.meta.url).pathname], {
        env: platform.env,
      });
      let said = '';
      again.stderr.on('data', (chunk: Buffer) => (said += chunk.toString('utf8')));
      const code = await new Promise((resolve) => again.once('exit', resolve));
      expect({ code, said }).toEqual({
        code: 1,
        said: expect.stringContaining('already runs on the data folder'),
      });
    },
    STARTING_TEST_MS,
  );

  it(
    'a taken port is one clear sentence',
    async () => {
      const other = await PlatformProcess.prepare();
      const squatter = createServer().listen(other.port, '127.0.0.1');
      await expect(other.start()).rejects.toThrow(`Port ${other.port} is taken by another program.`);
      await new Promise((resolve) => squatter.close(resolve));
      await other.discard();
    },
    STARTING_TEST_MS,
  );

  describe('of another time or place', () => {
    beforeAll(() => platform.stop());
    afterAll(() => platform.start(), STARTING_TEST_MS);

    const withChanged = async (
      file: string,
      change: (kept: string) => string,
      words: string,
    ): Promise<void> => {
      const path = join(platform.dataDir, file);
      const kept = readFileSync(path, 'utf8');
      writeFileSync(path, change(kept));
      try {
        await expect(platform.start()).rejects.toThrow(words);
      } finally {
        writeFileSync(path, kept);
      }
    };

    it.each([
      ['a newer data folder', 'layout.json', () => '{"version":99}', 'was written by a newer Gridbourse'],
      ['an older data folder', 'layout.json', () => '{"version":0}', 'was written by an older Gridbourse'],
      [
        'a database of another Postgres',
        join('postgres', 'PG_VERSION'),
        () => '15\n',
        'was written by another version of Postgres',
      ],
      [
        'a chain that is not the one the database knows',
        'deployment.json',
        (kept: string) =>
          JSON.stringify({ ...(JSON.parse(kept) as object), deployBlockHash: `0x${'00'.repeat(32)}` }),
        'is not the one that the database',
      ],
    ])(
      '%s is one clear sentence',
      (_, file, change, words) => withChanged(file, change, words),
      STARTING_TEST_MS,
    );
  });
});
