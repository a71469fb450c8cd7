import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { nextInt, type Random, seededRandom } from '@gridbourse/kernel';
import { type CrashPlan, ENVIRONMENT } from './plan.ts';

const ROOT = resolve(import.meta.dirname, '../../../..');

/** One process of the run, started again whenever it was killed. It runs the built libraries, as services do. */
class Victim {
  /** It has begun its work: one that is killed before never gets anywhere on a slow machine. */
  up = false;
  private child: ChildProcess | null = null;
  private ended = Promise.resolve();

  constructor(
    private readonly script: string,
    private readonly args: readonly string[],
    private readonly plan: CrashPlan,
  ) {}

  start(): void {
    const child = spawn(
      process.execPath,
      [
        ...['--import', join(ROOT, 'tools', 'swc-register.mjs')],
        ...[join(import.meta.dirname, this.script), ...this.args],
      ],
      {
        env: { ...process.env, NODE_OPTIONS: '', [ENVIRONMENT]: JSON.stringify(this.plan) },
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      },
    );
    child.once('message', () => (this.up = true));
    child.stderr!.on('data', (text: Buffer) => appendFileSync(this.plan.logFile, text));
    this.child = child;
    this.ended = new Promise((done) => {
      child.once('exit', (code, signal) => {
        this.child = null;
        // It never ends by itself unless something is wrong with it.
        if (signal !== 'SIGKILL')
          appendFileSync(this.plan.logFile, `${this.script} ended: ${code ?? signal}\n`);
        done();
      });
    });
  }

  async kill(): Promise<void> {
    this.up = false;
    this.child?.kill('SIGKILL');
    await this.ended;
  }
}

/** Producers and consumers that are killed at random moments until told to stop. */
export class CrashRun {
  kills = 0;
  /** What the processes said is of no interest then. */
  passed = false;
  private readonly random: Random;
  private readonly victims: Victim[];
  private readonly folder = mkdtempSync(join(tmpdir(), 'gridbourse-crash-'));
  private readonly logFile = join(this.folder, 'processes.log');
  private stopping = false;
  private killing: Promise<void> = Promise.resolve();

  constructor(settings: Omit<CrashPlan, 'logFile'>, consumers: number, seed: number) {
    const plan = { ...settings, logFile: this.logFile };
    this.random = seededRandom(seed);
    const producers = Array.from({ length: plan.producers }, (_, n) => n);
    appendFileSync(this.logFile, '');
    this.victims = [
      ...producers.map((n) => new Victim('producer.ts', [String(n)], plan)),
      ...Array.from({ length: consumers }, () => new Victim('consumer.ts', [], plan)),
    ];
  }

  /** What the processes logged or said on standard error last, and those that ended without being killed. */
  get complaints(): string {
    return `${this.logFile}:\n${readFileSync(this.logFile, 'utf8').slice(-20_000)}`;
  }

  /**
   * Kills a process whenever the work has gone on by a random amount: how often does not depend on the speed of the machine.
   * @param progress how far the work is, as a share of all of it
   */
  start(kills: number, progress: () => Promise<number>): void {
    for (const victim of this.victims) victim.start();
    this.killing = this.killAtRandom(kills, progress);
  }

  /** No more killing: what is there goes on to the end. */
  async calm(): Promise<void> {
    this.stopping = true;
    await this.killing;
  }

  async stop(): Promise<void> {
    await this.calm();
    await Promise.all(this.victims.map((victim) => victim.kill()));
    if (this.passed) rmSync(this.folder, { recursive: true });
  }

  private async killAtRandom(kills: number, progress: () => Promise<number>): Promise<void> {
    for (let next = 0; !this.stopping;) {
      await new Promise((done) => setTimeout(done, 100));
      const reached = await progress();
      const up = this.victims.filter((victim) => victim.up);
      if (reached < next || up.length === 0) continue;
      next = reached + (this.random.next() * 2) / kills;
      const victim = up[nextInt(this.random, up.length)]!;
      await victim.kill();
      this.kills += 1;
      victim.start();
    }
  }
}
