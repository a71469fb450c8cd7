import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, isFree } from '../ports.ts';
import { isAliveAs, spawnDetached, stopProcess, until } from '../processes.ts';
import { StartError } from '../start-error.ts';

const START_DEADLINE_MS = 20_000;
const STOP_DEADLINE_MS = 6_000;
const PORT_PATIENCE_MS = 3_000;
const PROGRAM = 'redis-server';

type State = { port: number; password: string; pid: number };

export type RedisServerOptions = {
  /** Where configuration, log and data lie. Without it a folder that goes with `stop`. */
  readonly dir?: string;
  readonly port?: number;
  /** Writes every change to disk (once a second) and is adopted by the next start, as Postgres is. */
  readonly persistent?: boolean;
};

/** One Redis of our own on 127.0.0.1, with a password, by this machine's `redis-server` (7 or newer). */
export class RedisServer {
  private constructor(
    private readonly dir: string,
    private readonly persistent: boolean,
    private readonly temporary: boolean,
    private state: State,
  ) {}

  static isInstalled(): boolean {
    return spawnSync(PROGRAM, ['--version'], { stdio: 'ignore' }).status === 0;
  }

  /**
   * Adopts the server that an earlier run left in `dir`, or starts one.
   * @throws StartError when `redis-server` is missing or does not come up
   */
  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    if (!RedisServer.isInstalled()) {
      throw new StartError(
        'There is no redis-server on this machine.',
        'Install it (Debian: apt-get install redis-server), or name a running Redis in the configuration.',
      );
    }
    const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'gridbourse-redis-'));
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const file = join(dir, 'state.json');
    const known = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as State) : undefined;
    const server = new RedisServer(dir, options.persistent ?? false, options.dir === undefined, {
      pid: known?.pid ?? 0,
      port: options.port ?? known?.port ?? (await freePort()),
      password: known?.password ?? randomBytes(18).toString('base64url'),
    });
    await server.ensureRunning();
    return server;
  }

  /** `redis://:password@127.0.0.1:port` */
  get url(): string {
    return `redis://:${this.state.password}@127.0.0.1:${this.state.port}`;
  }

  get port(): number {
    return this.state.port;
  }

  get pid(): number {
    return this.state.pid;
  }

  get alive(): boolean {
    return isAliveAs(this.state.pid, PROGRAM);
  }

  /** True when it had to be started again. Data of a persistent server is there again, but for the last second. */
  async ensureRunning(): Promise<boolean> {
    if (this.alive && (await until(() => this.answers(), 5_000))) return false;
    await this.end();
    const deadline = performance.now() + START_DEADLINE_MS;
    do {
      // Clients know the old port: another one is taken only when a stranger sits there.
      if (!(await until(() => isFree(this.state.port), PORT_PATIENCE_MS))) {
        this.state = { ...this.state, port: await freePort() };
      }
      await this.launch();
      if (await until(() => !this.alive || this.answers(), deadline - performance.now())) {
        if (this.alive) return true;
      }
    } while (performance.now() < deadline); // another program may have taken the port in between
    throw new StartError('Redis does not come up.', `Its log says why: ${join(this.dir, 'redis.log')}`);
  }

  /** Ends it in order: a persistent server has written everything. */
  async stop(): Promise<void> {
    await this.end();
    if (this.temporary) rmSync(this.dir, { recursive: true, force: true });
  }

  /** For tests of faults: SIGKILL, SIGSTOP, SIGCONT. */
  signal(name: NodeJS.Signals): void {
    process.kill(this.state.pid, name);
  }

  private async end(): Promise<void> {
    if (this.alive) await stopProcess(this.state.pid, 'SIGTERM', STOP_DEADLINE_MS);
  }

  private async launch(): Promise<void> {
    const settings = [
      'bind 127.0.0.1',
      `port ${this.state.port}`,
      `requirepass ${this.state.password}`,
      `dir ${JSON.stringify(this.dir)}`,
      'save ""',
      `appendonly ${this.persistent ? 'yes' : 'no'}`,
      'appendfsync everysec',
      'maxmemory 256mb',
      // Evicted, a fencing token would be given twice. Full is an error that callers know.
      'maxmemory-policy noeviction',
    ];
    const configuration = join(this.dir, 'redis.conf');
    writeFileSync(configuration, `${settings.join('\n')}\n`, { mode: 0o600 });
    const pid = await spawnDetached(PROGRAM, [configuration], { logFile: join(this.dir, 'redis.log') });
    this.state = { ...this.state, pid };
    writeFileSync(join(this.dir, 'state.json'), JSON.stringify(this.state), { mode: 0o600 });
  }

  /** Whether it takes our password and has loaded its data. */
  private answers(): Promise<boolean> {
    const { port, password } = this.state;
    return new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1');
      let text = '';
      const end = (answer: boolean): void => {
        socket.destroy();
        resolve(answer);
      };
      socket.setTimeout(1_000, () => end(false));
      socket.once('error', () => end(false));
      socket.once('connect', () => socket.write(`AUTH ${password}\r\nPING\r\n`));
      socket.on('data', (chunk) => {
        text += chunk.toString();
        if (text === '+OK\r\n+PONG\r\n') end(true);
        else if (text.includes('-')) end(false);
      });
      socket.once('close', () => end(false));
    });
  }
}
