import { CLOCK, PeriodicTasks, SERVICE_CONFIG } from '@gridbourse/api';
import type { Clock } from '@gridbourse/kernel';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { LeaseStore } from '../../adapters/lease.store.ts';
import { Transactions } from '../../adapters/transactions.ts';
import type { BillingConfig } from '../../billing.config.ts';
import { ringAlarms } from '../../domain/lease.ts';

const DUE = `
  SELECT * FROM leases WHERE next_alarm_at_ms <= $1
  ORDER BY next_alarm_at_ms LIMIT $2 FOR UPDATE SKIP LOCKED`;
const BATCH = 200;

/**
 * Watches zero-time by our own clock, so that nobody runs free because nothing else touched the lease. What was told is
 * stored with the event that tells it: each alarm comes once, over restarts too.
 */
@Injectable()
export class ZeroTimeTask implements OnApplicationBootstrap {
  constructor(
    private readonly tasks: PeriodicTasks,
    private readonly transactions: Transactions,
    private readonly leases: LeaseStore,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(SERVICE_CONFIG) private readonly config: BillingConfig,
  ) {}

  onApplicationBootstrap(): void {
    this.tasks.every({ name: 'zero-time', everyMs: this.config.zeroTimeEveryMs }, async () => {
      while ((await this.ring()) === BATCH);
    });
  }

  /** @returns how many leases were due for a look */
  async ring(): Promise<number> {
    const now = this.clock.now();
    return this.transactions.run(async (manager) => {
      const session = await this.leases.lockDue(manager, DUE, [now, BATCH]);
      for (const lease of session.all()) {
        const rung = ringAlarms(lease, now);
        session.put(rung.lease, rung.events);
      }
      await session.save(now);
      return session.all().length;
    });
  }
}
