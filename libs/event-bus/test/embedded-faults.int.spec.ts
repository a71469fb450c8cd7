import { type DataDir, EmbeddedPostgres, openDataDir, stopProcess } from '@gridbourse/infra';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serverFaultsContract } from './contract/server-faults.ts';
import { withBus } from './contract/suite.ts';
import { embeddedUnderTest } from './support/embedded-under-test.ts';

/** A Postgres of its own, which the tests stop and kill. */
let postgres: EmbeddedPostgres;
let dir: DataDir;

withBus(
  'the embedded bus, on a Postgres that goes away',
  async () => {
    const path = mkdtempSync(join(tmpdir(), 'gridbourse-bus-pg-'));
    chmodSync(path, 0o755); // Postgres never runs as root: another user has to enter
    dir = openDataDir(path, 'node');
    postgres = await EmbeddedPostgres.start(dir);
    await postgres.createDatabases(['bus']);
    return embeddedUnderTest(postgres.url('bus'), async () => {
      await postgres.stop();
      rmSync(path, { recursive: true, force: true });
    });
  },
  serverFaultsContract(() => ({
    stop: () => postgres.stop(),
    kill: () => stopProcess(dir.read<{ pid: number }>('postgres.json')!.pid, 'SIGKILL', 1_000),
    start: async () => void (await postgres.ensureRunning()),
  })),
);
