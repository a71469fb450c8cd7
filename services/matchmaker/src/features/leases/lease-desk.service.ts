import type { Caller } from '@gridbourse/api';
import { type AccountId, conflict, type LeaseId, notFound } from '@gridbourse/kernel';
import { Injectable } from '@nestjs/common';
import { acceptLease, rejectLease } from '../../domain/process/provider.ts';
import { closeLease } from '../../domain/process/tenant.ts';
import type { UnitOfWork } from '../../domain/process/unit-of-work.ts';
import type { LeaseEntity } from '../../read-models/lease.entity.ts';
import { OrderReader } from '../../read-models/order-reader.ts';
import { Matchmaker } from '../../writer/matchmaker.ts';

/** What a tenant and a provider do with a lease. */
@Injectable()
export class LeaseDeskService {
  constructor(
    private readonly matchmaker: Matchmaker,
    private readonly reader: OrderReader,
  ) {}

  /** @throws DomainError not_found for a lease of others, conflict `lease_ended`. */
  async close(caller: Caller, leaseId: string): Promise<LeaseEntity> {
    const lease = await this.reader.lease(caller.accountId, leaseId);
    if (lease.accountId !== caller.accountId) throw notFound('lease', leaseId);
    if (lease.state === 'closed') return lease;
    return this.change(caller, lease, (unit) => closeLease(unit, lease.accountId, lease.leaseId));
  }

  /** @throws DomainError not_found, conflict `lease_not_proposed`, `acceptance_too_late`. */
  async accept(caller: Caller, leaseId: string): Promise<LeaseEntity> {
    const lease = await this.reader.lease(caller.accountId, leaseId);
    return this.change(caller, lease, (unit) =>
      acceptLease(unit, caller.accountId as AccountId, leaseId as LeaseId),
    );
  }

  /** @throws DomainError not_found, conflict `lease_not_proposed`. */
  async reject(caller: Caller, leaseId: string, reason: string): Promise<LeaseEntity> {
    const lease = await this.reader.lease(caller.accountId, leaseId);
    return this.change(caller, lease, (unit) =>
      rejectLease(unit, caller.accountId as AccountId, leaseId as LeaseId, reason),
    );
  }

  private async change(
    caller: Caller,
    lease: LeaseEntity,
    work: (unit: UnitOfWork) => unknown,
  ): Promise<LeaseEntity> {
    await this.matchmaker.execute((unit) => {
      // Over with its whole order: only the database still knows it.
      if (!unit.exchange.lease(lease.leaseId)) throw conflict('lease_ended', `the lease is ${lease.state}`);
      return work(unit);
    });
    return this.reader.lease(caller.accountId, lease.leaseId);
  }
}
