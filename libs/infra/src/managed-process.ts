import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isAliveAs, spawnDetached, stopProcess, until } from './processes.ts';

export type ManagedProcessOptions = {
  readonly name: string;
  /** In its command line: by this a later start knows it from a stranger with its pid. */
  readonly word: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Folder for `<name>.pid`; one and the same over restarts of whoever starts it. */
  readonly stateDir: string;
  readonly logFile: string;
  /** Whether it does its work; asked until the deadline. */
  readonly ready: () => Promise<boolean>;
  readonly startDeadlineMs: number;
  /** From SIGTERM to SIGKILL. */
  readonly stopDeadlineMs: number;
};

/**
 * A process of ours in a session of its own, which a kill -9 of the starter leaves running: the next start ends that one
 * before it starts its own, so there are never two.
 */
export class ManagedProcess {
  private pid = 0;

  constructor(private readonly options: ManagedProcessOptions) {
    if (existsSync(this.pidFile)) this.pid = Number(readFileSync(this.pidFile, 'utf8'));
  }

  get name(): string {
    return this.options.name;
  }

  get alive(): boolean {
    return isAliveAs(this.pid, this.options.word);
  }

  /** 0 before the first start. */
  get processId(): number {
    return this.pid;
  }

  /** @throws Error when it ends at once or is not ready in time; its log says why */
  async start(): Promise<void> {
    await this.stop();
    mkdirSync(dirname(this.pidFile), { recursive: true });
    mkdirSync(dirname(this.options.logFile), { recursive: true });
    const { command, args, env, cwd, logFile } = this.options;
    this.pid = await spawnDetached(command, args, {
      logFile,
      ...(env ? { env } : {}),
      ...(cwd === undefined ? {} : { cwd }),
    });
    writeFileSync(this.pidFile, String(this.pid));
    const settled = await until(
      async () => !this.alive || (await this.options.ready()),
      this.options.startDeadlineMs,
      50,
    );
    if (settled && this.alive) return;
    await this.kill();
    throw new Error(`${this.name} does not come up; ${logFile} says why`);
  }

  async stop(): Promise<void> {
    if (this.alive) await stopProcess(this.pid, 'SIGTERM', this.options.stopDeadlineMs);
  }

  async kill(): Promise<void> {
    if (this.alive) await stopProcess(this.pid, 'SIGKILL', 1_000);
  }

  private get pidFile(): string {
    return join(this.options.stateDir, `${this.options.name}.pid`);
  }
}
