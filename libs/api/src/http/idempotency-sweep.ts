import type { Clock } from '@gridbourse/kernel';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { PeriodicTasks } from '../service/periodic-tasks.ts';
import { CLOCK } from '../service/tokens.ts';

const KEPT_MS = 7 * 24 * 3_600_000;
const EVERY_MS = 3_600_000;

/** Forgets idempotency keys after seven days. */
@Injectable()
export class IdempotencySweep implements OnApplicationBootstrap {
  constructor(
    private readonly dataSource: DataSource,
    private readonly tasks: PeriodicTasks,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  onApplicationBootstrap(): void {
    this.tasks.every({ name: 'idempotency-sweep', everyMs: EVERY_MS, singleOwner: true }, async () => {
      await this.dataSource.query('DELETE FROM idempotency_keys WHERE locked_at_ms < $1', [
        this.clock.now() - KEPT_MS,
      ]);
    });
  }
}
