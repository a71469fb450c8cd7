import { freePort } from '@gridbourse/infra';
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** `src/` and `dist/` lie equally deep. */
const built = (app: string, file: string): string =>
  fileURLToPath(new URL(`../../../../apps/${app}/dist/${file}`, import.meta.url));
const START_DEADLINE_MS = 120_000;
/** The limit of a test that starts a platform: more than the start itself may take. */
export const STARTING_TEST_MS = START_DEADLINE_MS + 60_000;

export type DemoTenant = {
  accountId: string;
  wallet: string;
  privateKey: string;
  apiKey: string;
  origin: string;
};
export type Finished = { code: number | null; stdout: string; stderr: string };

/** What runs the platform: all services in one process, or each in its own on Kafka and Redis. */
export type PlatformProgram = 'standalone' | 'cluster';

/** A platform as a user starts it: the built program in a process of its own, on a data folder of its own. */
export class PlatformProcess {
  private child: ChildProcess | undefined;
  output = '';

  private constructor(
    private readonly program: PlatformProgram,
    readonly dataDir: string,
    readonly port: number,
    readonly grpcPort: number,
    readonly chainPort: number,
    private readonly extraEnv: Record<string, string>,
  ) {}

  static async prepare(
    program: PlatformProgram = 'standalone',
    extraEnv: Record<string, string> = {},
  ): Promise<PlatformProcess> {
    const dataDir = mkdtempSync(join(tmpdir(), 'gridbourse-e2e-'));
    // Postgres runs as another user when the tests run as root.
    chmodSync(dataDir, 0o755);
    const [port, grpcPort, chainPort] = [await freePort(), await freePort(), await freePort()];
    return new PlatformProcess(program, dataDir, port, grpcPort, chainPort, extraEnv);
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get chainUrl(): string {
    return `http://127.0.0.1:${this.chainPort}`;
  }

  get env(): NodeJS.ProcessEnv {
    return {
      ...process.env,
      NODE_OPTIONS: '',
      GRIDBOURSE_DATA_DIR: this.dataDir,
      GRIDBOURSE_PORT: String(this.port),
      GRIDBOURSE_GRPC_PORT: String(this.grpcPort),
      GRIDBOURSE_CHAIN_PORT: String(this.chainPort),
      ...this.extraEnv,
    };
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  get running(): boolean {
    return this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null;
  }

  read<T>(file: string): T {
    return JSON.parse(readFileSync(join(this.dataDir, file), 'utf8')) as T;
  }

  get tenant(): DemoTenant {
    return this.read<DemoTenant>('demo-tenant.json');
  }

  /** Resolves with the milliseconds until READY. @throws Error with the output when it ends before that */
  start(): Promise<number> {
    const begun = performance.now();
    const child = spawn(process.execPath, [built(this.program, 'main.js')], {
      env: this.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    this.output = '';
    return new Promise((resolve, reject) => {
      const late = setTimeout(
        () => reject(new Error(`not ready in time:\n${this.output}`)),
        START_DEADLINE_MS,
      );
      const hear = (chunk: Buffer): void => {
        this.output += chunk.toString('utf8');
        if (/^READY$/m.test(this.output)) {
          clearTimeout(late);
          resolve(performance.now() - begun);
        }
      };
      child.stdout.on('data', hear);
      child.stderr.on('data', hear);
      child.once('exit', (code) => {
        clearTimeout(late);
        reject(new Error(`ended with ${code} before it was ready:\n${this.output}`));
      });
    });
  }

  /** Ctrl-C. Resolves with the milliseconds it took. */
  async stop(signal: NodeJS.Signals = 'SIGINT'): Promise<number> {
    const begun = performance.now();
    if (this.running) {
      const exited = new Promise<void>((resolve) => this.child!.once('exit', () => resolve()));
      this.child!.kill(signal);
      await exited;
    }
    return performance.now() - begun;
  }

  /** The terminal's window is closed: nobody reads any more, and the process is told so. */
  closeTerminal(): Promise<number> {
    this.child!.stdout!.destroy();
    this.child!.stderr!.destroy();
    return this.stop('SIGHUP');
  }

  kill(): Promise<number> {
    return this.stop('SIGKILL');
  }

  /** Stops what is left of it, and erases its data, unless GRIDBOURSE_KEEP_DATA is set: then it says where they lie. */
  async discard(): Promise<void> {
    await this.stop();
    if (process.env['GRIDBOURSE_KEEP_DATA']) {
      process.stderr.write(`data and logs kept in ${this.dataDir}\n`);
      return;
    }
    await this.run(built('standalone', 'reset.js'), ['--yes']);
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  cli(args: readonly string[], env: Record<string, string> = {}): Promise<Finished> {
    return this.run(built('cli', 'main.js'), args, env);
  }

  /** Another command of the same program, on the same data folder. */
  command(args: readonly string[]): Promise<Finished> {
    return this.run(built(this.program, 'main.js'), args);
  }

  /** The program of one service, beside this platform. */
  serviceProgram(service: string, args: readonly string[], env: Record<string, string>): Promise<Finished> {
    const script = fileURLToPath(new URL(`../../../../services/${service}/dist/main.js`, import.meta.url));
    return this.run(script, args, env);
  }

  private run(script: string, args: readonly string[], env: Record<string, string> = {}): Promise<Finished> {
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [script, ...args], {
        env: { ...this.env, HOME: this.dataDir, XDG_CONFIG_HOME: this.dataDir, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let stdout = '';
      let stderr = '';
      child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString('utf8')));
      child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')));
      child.once('error', reject);
      child.once('exit', (code) => resolve({ code, stdout, stderr }));
    });
  }
}
