import type { Logger, Meter } from '@gridbourse/observability';
import { Inject, Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { LOGGER, METER } from './tokens.ts';

export type PeriodicTask = {
  /** Unique in the service; shown in logs and metrics. */
  name: string;
  everyMs: number;
  /** Only one process of the service runs it at a time (advisory lock in the service's database). */
  singleOwner?: boolean;
};

/** Work on our own clock. A run never overlaps the next; a failure is logged, counted, and tried again at the next turn. */
@Injectable()
export class PeriodicTasks implements BeforeApplicationShutdown {
  private readonly stopping = new AbortController();
  private readonly running = new Set<Promise<void>>();
  private readonly timers = new Set<NodeJS.Timeout>();
  private readonly failures;

  constructor(
    private readonly dataSource: DataSource,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(METER) meter: Meter,
  ) {
    this.failures = meter.createCounter('gridbourse_periodic_task_failures', {
      description: 'Runs of periodic tasks that threw',
    });
  }

  every(options: PeriodicTask, task: (signal: AbortSignal) => Promise<void>): void {
    const turn = (): void => {
      if (this.stopping.signal.aborted) return;
      const run = this.runOnce(options, task).finally(() => {
        this.running.delete(run);
        if (this.stopping.signal.aborted) return;
        const timer = setTimeout(() => {
          this.timers.delete(timer);
          turn();
        }, options.everyMs);
        this.timers.add(timer);
      });
      this.running.add(run);
    };
    turn();
  }

  private async runOnce(options: PeriodicTask, task: (signal: AbortSignal) => Promise<void>): Promise<void> {
    try {
      if (options.singleOwner) await this.asOwner(options.name, () => task(this.stopping.signal));
      else await task(this.stopping.signal);
    } catch (error) {
      if (this.stopping.signal.aborted) return;
      this.failures.add(1, { task: options.name });
      this.logger.error({ err: error, task: options.name }, 'periodic task failed');
    }
  }

  private async asOwner(name: string, work: () => Promise<void>): Promise<void> {
    const holder = this.dataSource.createQueryRunner();
    await holder.connect();
    try {
      const [row] = (await holder.query('SELECT pg_try_advisory_lock(hashtext($1)) AS owned', [
        `task:${name}`,
      ])) as { owned: boolean }[];
      if (!row?.owned) return;
      try {
        await work();
      } finally {
        await holder.query('SELECT pg_advisory_unlock(hashtext($1))', [`task:${name}`]);
      }
    } finally {
      await holder.release();
    }
  }

  /** Before, not on: the database connection is closed on shutdown. */
  async beforeApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    for (const timer of this.timers) clearTimeout(timer);
    await Promise.allSettled(this.running);
  }
}
