import { CLOCK } from '@gridbourse/api';
import { chainLeaseKey, encodeOpenLease } from '@gridbourse/chain';
import type { Clock, LeaseId } from '@gridbourse/kernel';
import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { ChainLogStore } from '../../adapters/chain-log.store.ts';
import { LeaseStore } from '../../adapters/lease.store.ts';
import { Relayer } from '../../adapters/relayer.ts';
import { TenantStore } from '../../adapters/tenant.store.ts';
import { refuseFunding } from '../../domain/funding.ts';
import { type Agreement, type BilledLease, stateOf } from '../../domain/lease.ts';

const NEXT_SERIAL = `
  INSERT INTO provider_serials (chain_provider_id, last_serial) VALUES ($1, 1)
  ON CONFLICT (chain_provider_id) DO UPDATE SET last_serial = provider_serials.last_serial + 1
  RETURNING last_serial`;
/** Other leases of the tenant that are open on chain or on their way there. */
const COMMITTED = `
  SELECT coalesce(sum(rate_micros_per_hour), 0) AS rate, 
         coalesce(sum(lock_micros + lock_added_micros - lock_freed_micros), 0) AS locks,
         coalesce(sum(lock_micros) FILTER (WHERE opened_at_ms IS NULL), 0) AS reserved
  FROM leases WHERE tenant = $1 AND lease_id <> $2 AND closed_at_ms IS NULL
    AND (opening = 'requested' OR opened_at_ms IS NOT NULL)`;

/** Decides whether a lease can be funded, and hands its opening to the relayer. */
@Injectable()
export class OpenLease {
  constructor(
    private readonly leases: LeaseStore,
    private readonly tenants: TenantStore,
    private readonly chainLogs: ChainLogStore,
    private readonly relayer: Relayer,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Once for each lease: the intent, or LeaseFundingFailed with what is missing. */
  async request(manager: EntityManager, leaseId: LeaseId): Promise<void> {
    const now = this.clock.now();
    const session = await this.leases.lock(manager, [leaseId]);
    const lease = session.get(leaseId);
    const { agreement } = lease;
    if (agreement === null || stateOf(lease) !== 'proposed') return;
    const refusal = await this.refusal(manager, leaseId, agreement);
    if (refusal !== null) {
      session.put({ ...lease, opening: 'failed' }, [
        { type: 'LeaseFundingFailed', leaseId, ...refusal, atMs: now },
      ]);
    } else {
      session.put(await this.intend(manager, lease, agreement));
    }
    await session.save(now);
  }

  private async refusal(manager: EntityManager, leaseId: LeaseId, agreement: Agreement) {
    const { tenant, rateMicrosPerHour, lockMicros } = agreement;
    const books = await this.tenants.lock(manager, tenant);
    const [others] = await manager.query<{ rate: string; locks: string; reserved: string }[]>(COMMITTED, [
      tenant,
      leaseId,
    ]);
    return refuseFunding({
      rateMicrosPerHour,
      lockMicros,
      freeMicros: books.freeMicros,
      reservedMicros: BigInt(others!.reserved),
      openRateMicrosPerHour: BigInt(others!.rate),
      openLocksMicros: BigInt(others!.locks),
      limit: await this.chainLogs.spendingLimitOf(manager, tenant),
      now: this.clock.now(),
    });
  }

  private async intend(
    manager: EntityManager,
    lease: BilledLease,
    agreement: Agreement,
  ): Promise<BilledLease> {
    const { tenant, chainProviderId, rateMicrosPerHour, durationSeconds, leaseRef } = agreement;
    const [row] = await manager.query<{ last_serial: string }[]>(NEXT_SERIAL, [chainProviderId]);
    const leaseKey = chainLeaseKey(chainProviderId, BigInt(row!.last_serial));
    const data = encodeOpenLease({ leaseKey, tenant, rateMicrosPerHour, durationSeconds, leaseRef });
    await this.relayer.request(manager, [{ id: `open:${lease.leaseId}`, data, shardKey: lease.leaseId }]);
    return { ...lease, opening: 'requested', openRequestedAtMs: this.clock.now(), leaseKey };
  }
}
