import { CLOCK } from '@gridbourse/api';
import { EventContext, OnEvent, RetryLater } from '@gridbourse/event-bus';
import {
  type EventOf,
  leaseClosing,
  leaseFunded,
  leaseLapsed,
  leaseProposed,
  leaseTermChanged,
} from '@gridbourse/events';
import type { Clock, LeaseId } from '@gridbourse/kernel';
import { DomainError } from '@gridbourse/kernel';
import { Controller, Inject } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { DataSource, type EntityManager } from 'typeorm';
import { LeaseFacts } from '../../adapters/lease-facts.ts';
import { type Decision, WorkloadStore } from '../../adapters/workload-store.ts';
import { namespaceOf } from '../../domain/objects/names.ts';
import type { WorkloadCommand } from '../../domain/workload-commands.ts';
import { keepProposal, noteFunding, noteTerm } from '../../read-models/lease-rows.ts';
import { LeaseEntity } from '../../read-models/lease.entity.ts';
import { Reconciler } from '../reconcile/reconciler.ts';

/** What the matchmaker decides about leases becomes what is wanted of workloads. Nothing here calls a cluster. */
@Controller()
export class LeaseIntakeController {
  constructor(
    private readonly dataSource: DataSource,
    private readonly leases: LeaseFacts,
    private readonly store: WorkloadStore,
    private readonly reconciler: Reconciler,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @OnEvent(leaseProposed, { journal: true })
  async onLeaseProposed(
    @Payload() event: EventOf<typeof leaseProposed>,
    @Ctx() context: EventContext,
  ): Promise<void> {
    await keepProposal(context.manager, event);
  }

  @OnEvent(leaseFunded, { transaction: 'handler', journal: true })
  async onLeaseFunded(
    @Payload() event: EventOf<typeof leaseFunded>,
    @Ctx() context: EventContext,
  ): Promise<void> {
    const { leaseId, fundedAtMs } = event;
    await this.decide(leaseId, context, async (manager, lease) => {
      await noteFunding(manager, leaseId, fundedAtMs);
      const { providerId } = lease;
      return {
        type: 'RequestWorkload',
        leaseId,
        providerId,
        namespace: namespaceOf(leaseId),
        nowMs: this.clock.now(),
      };
    });
  }

  @OnEvent(leaseClosing, { transaction: 'handler' })
  async onLeaseClosing(
    @Payload() event: EventOf<typeof leaseClosing>,
    @Ctx() context: EventContext,
  ): Promise<void> {
    const { leaseId, reason, atMs } = event;
    const nowMs = this.clock.now();
    await this.decide(leaseId, context, () =>
      Promise.resolve({ type: 'StopWorkload', leaseId, reason, atMs, nowMs }),
    );
  }

  @OnEvent(leaseLapsed, { transaction: 'handler' })
  async onLeaseLapsed(
    @Payload() event: EventOf<typeof leaseLapsed>,
    @Ctx() context: EventContext,
  ): Promise<void> {
    const { leaseId, atMs } = event;
    const nowMs = this.clock.now();
    const reason = 'lapsed';
    await this.decide(leaseId, context, () =>
      Promise.resolve({ type: 'StopWorkload', leaseId, reason, atMs, nowMs }),
    );
  }

  /** Extended on chain, or not after all: the meter ends when the lease does. */
  @OnEvent(leaseTermChanged, { transaction: 'handler', journal: true })
  async onLeaseTermChanged(
    @Payload() event: EventOf<typeof leaseTermChanged>,
    @Ctx() context: EventContext,
  ): Promise<void> {
    const { leaseId, durationSeconds } = event;
    await this.dataSource.transaction(async (manager) => {
      if ((await context.recordInbox(manager)) === 'duplicate') return;
      // What billing says of a lease and what the matchmaker says are not ordered among each other.
      if (!(await noteTerm(manager, leaseId, durationSeconds)))
        throw new RetryLater(`the proposal of lease ${leaseId} has not been heard yet`);
    });
    this.leases.termChanged(leaseId);
    this.reconciler.wake(leaseId);
  }

  /** One transaction for the inbox, the decision and its events; the cluster is somebody else's work, and woken. */
  private async decide(
    leaseId: LeaseId,
    context: EventContext,
    commandOf: (manager: EntityManager, lease: LeaseEntity) => Promise<WorkloadCommand>,
  ): Promise<void> {
    const decision = await this.dataSource.transaction(async (manager): Promise<Decision | null> => {
      if ((await context.recordInbox(manager)) === 'duplicate') return null;
      const lease = await manager.getRepository(LeaseEntity).findOneBy({ leaseId });
      if (!lease)
        throw new DomainError('internal', 'lease_not_kept', `lease ${leaseId} was never proposed here`);
      return this.store.decideIn(manager, leaseId, await commandOf(manager, lease), lease);
    });
    if (!decision) return;
    this.store.committed(decision);
    if (decision.workload.state.provenAbsentAtMs !== null)
      await this.leases.eraseSecrets(leaseId, this.clock.now());
    this.reconciler.wake(leaseId);
  }
}
