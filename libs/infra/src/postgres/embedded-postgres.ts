import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import pg from 'pg';
import type { DataDir } from '../data-dir.ts';
import { freePort, isFree } from '../ports.ts';
import { isAlive, isAliveAs, spawnDetached, stopProcess, until } from '../processes.ts';
import { StartError } from '../start-error.ts';
import { postgresBinaries } from './binaries.ts';
import { serverUser } from './server-user.ts';

const START_DEADLINE_MS = 30_000;
const STOP_DEADLINE_MS = 6_000;
const STATE = 'postgres.json';

type State = { port: number; password: string; pid: number };

/** Settings that matter here: durable (fsync stays on), small, and no reader of the event store is held up for long. */
const FLAGS = [
  'listen_addresses=127.0.0.1',
  'unix_socket_directories=',
  'max_connections=200',
  'shared_buffers=128MB',
  'wal_compression=on',
  'log_min_messages=warning',
  'lc_messages=C',
];

const run = promisify(execFile);

/** One Postgres server of our own under the data folder, which outlives us and is adopted at the next start. */
export class EmbeddedPostgres {
  private constructor(
    private readonly dir: DataDir,
    private state: State,
  ) {}

  url(database: string): string {
    return `postgres://gridbourse:${this.state.password}@127.0.0.1:${this.state.port}/${database}`;
  }

  /** Adopts the server that an earlier run left behind, or starts one. */
  static async start(dir: DataDir): Promise<EmbeddedPostgres> {
    const known = dir.read<State>(STATE);
    const initialised = existsSync(dir.file('postgres', 'PG_VERSION'));
    if (initialised && !known) {
      throw new StartError(
        `The data folder ${dir.path} holds a database whose password is lost (${STATE} is missing).`,
        'Restore that file, or erase the folder with npm run reset.',
      );
    }
    const state = known ?? {
      port: await freePort(),
      password: randomBytes(18).toString('base64url'),
      pid: 0,
    };
    const server = new EmbeddedPostgres(dir, state);
    if (!initialised) await server.initialise();
    await server.ensureRunning();
    return server;
  }

  /** True when it had to be started again. */
  async ensureRunning(): Promise<boolean> {
    const left = this.leftRunning();
    if (left !== undefined && (await until(() => this.answers(), 5_000, 50))) {
      this.keep({ ...this.state, pid: left });
      return false;
    }
    if (left !== undefined) await stopProcess(left, 'SIGQUIT', STOP_DEADLINE_MS);
    await this.clearStaleLock();
    if (!(await isFree(this.state.port))) this.keep({ ...this.state, port: await freePort() });
    await this.launchUntil(performance.now() + START_DEADLINE_MS);
    return true;
  }

  async createDatabases(names: readonly string[]): Promise<void> {
    const client = new pg.Client({ connectionString: this.url('postgres') });
    await client.connect();
    try {
      const { rows } = await client.query<{ datname: string }>('SELECT datname FROM pg_database');
      const have = new Set(rows.map((row) => row.datname));
      for (const name of names) if (!have.has(name)) await client.query(`CREATE DATABASE "${name}"`);
    } finally {
      await client.end();
    }
  }

  async answers(): Promise<boolean> {
    const client = new pg.Client({ connectionString: this.url('postgres'), connectionTimeoutMillis: 2_000 });
    try {
      await client.connect();
      await client.query('SELECT 1');
      return true;
    } catch {
      return false;
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  get alive(): boolean {
    return isAliveAs(this.state.pid, 'postgres');
  }

  /** Fast shutdown: open transactions are rolled back, everything committed is on disk. */
  async stop(): Promise<void> {
    await stopProcess(this.state.pid, 'SIGINT', STOP_DEADLINE_MS);
  }

  private keep(state: State): void {
    this.state = state;
    this.dir.write(STATE, state);
  }

  /** The pid in postmaster.pid, if that process lives and serves this very folder. */
  private leftRunning(): number | undefined {
    const file = this.dir.file('postgres', 'postmaster.pid');
    if (!existsSync(file)) return undefined;
    const pid = Number(readFileSync(file, 'utf8').split('\n', 1)[0]);
    return isAliveAs(pid, 'postgres') ? pid : undefined;
  }

  /**
   * A killed server leaves its lock file, and for a moment (or until its exit is collected) its pid still answers to
   * signals: a new server would take it for alive. It is not when its command line is gone.
   */
  private async clearStaleLock(): Promise<void> {
    const file = this.dir.file('postgres', 'postmaster.pid');
    if (!existsSync(file)) return;
    const pid = Number(readFileSync(file, 'utf8').split('\n', 1)[0]);
    await until(() => !isAlive(pid), 2_000);
    if (!isAliveAs(pid, 'postgres')) rmSync(file, { force: true });
  }

  private async initialise(): Promise<void> {
    const { initdb } = await postgresBinaries();
    const user = serverUser();
    const target = this.dir.file('postgres');
    rmSync(target, { recursive: true, force: true });
    mkdirSync(target, { recursive: true, mode: 0o700 });
    const passwordFile = this.dir.file('postgres.password');
    writeFileSync(passwordFile, `${this.state.password}\n`, { mode: 0o600 });
    if (user) {
      chownSync(target, user.uid, user.gid);
      chownSync(passwordFile, user.uid, user.gid);
    }
    this.keep(this.state);
    try {
      await run(
        initdb,
        [
          `--pgdata=${target}`,
          '--username=gridbourse',
          `--pwfile=${passwordFile}`,
          '--auth=scram-sha-256',
          '--encoding=UTF8',
          '--locale=C',
          '--no-sync',
        ],
        { ...user, timeout: 60_000, env: { ...process.env, LC_ALL: 'C' } },
      );
    } catch (error) {
      rmSync(target, { recursive: true, force: true });
      throw this.startFailure(
        error,
        String((error as { stderr?: string }).stderr ?? (error as Error).message),
      );
    } finally {
      rmSync(passwordFile, { force: true });
    }
  }

  /** Children of a killed server may hold its shared memory for a moment: then the next try finds them gone. */
  private async launchUntil(deadline: number): Promise<void> {
    for (;;) {
      try {
        return await this.launch();
      } catch (error) {
        const passing = error instanceof Error && /shared memory block|lock file/.test(error.message);
        if (!passing || performance.now() > deadline) throw error;
        await this.clearStaleLock();
      }
    }
  }

  private async launch(): Promise<void> {
    const { postgres } = await postgresBinaries();
    const user = serverUser();
    const logFile = this.dir.file('logs', 'postgres.log');
    mkdirSync(this.dir.file('logs'), { recursive: true });
    const before = existsSync(logFile) ? statSync(logFile).size : 0;
    const pid = await spawnDetached(
      postgres,
      [
        '-D',
        this.dir.file('postgres'),
        '-p',
        String(this.state.port),
        ...FLAGS.flatMap((flag) => ['-c', flag]),
      ],
      { logFile, ...user, env: { ...process.env, LC_ALL: 'C' } },
    );
    this.keep({ ...this.state, pid });
    const ready = await until(async () => !isAlive(pid) || (await this.answers()), START_DEADLINE_MS, 50);
    if (!ready || !isAlive(pid)) {
      const said = existsSync(logFile) ? readFileSync(logFile, 'utf8').slice(before).trim() : '';
      throw this.startFailure(undefined, said);
    }
  }

  private startFailure(cause: unknown, said: string): StartError {
    const last = said.split('\n').slice(-3).join(' ').slice(0, 400);
    if (/No space left on device/i.test(said)) {
      return new StartError(
        'The disk is full, so the database cannot start.',
        'Free some space, then run npm start again.',
        cause,
      );
    }
    if (/incompatible|was initialized by PostgreSQL version/i.test(said)) {
      return new StartError(
        `The data folder ${this.dir.path} was written by another version of Postgres.`,
        'Check out the release that wrote it, or erase it with npm run reset.',
        cause,
      );
    }
    if (/Permission denied|could not access/i.test(said)) {
      return new StartError(
        `The database may not enter ${this.dir.path}: ${last}`,
        'As root, put the checkout where the user postgres may go (not under a closed home), or start as an ordinary user.',
        cause,
      );
    }
    return new StartError(
      `The database does not start: ${last}`,
      `Its log is ${this.dir.file('logs', 'postgres.log')}.`,
      cause,
    );
  }
}
