import { Outbox } from '@gridbourse/api';
import { EventStore } from '@gridbourse/event-store';
import { notFound } from '@gridbourse/kernel';
import type { AccountId, LeaseId, ProviderId } from '@gridbourse/kernel';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager, In } from 'typeorm';
import type { OrchestratorEvent } from '../domain/workload-events.ts';
import type { WorkloadCommand } from '../domain/workload-commands.ts';
import { workloadDecider } from '../domain/workload-decider.ts';
import { isOver, noWorkload, type WorkloadState } from '../domain/workload.ts';
import { type ServiceReplicas, WorkloadSightingEntity } from '../read-models/workload-sighting.entity.ts';
import { WorkloadEntity, workloadRow } from '../read-models/workload.entity.ts';

/** A workload as it is known now. */
export type Workload = {
  readonly leaseId: LeaseId;
  readonly providerId: ProviderId;
  readonly accountId: AccountId;
  readonly version: number;
  readonly state: WorkloadState;
  readonly services: readonly ServiceReplicas[];
  readonly lastSeenMs: number | null;
};

export type Owner = { readonly providerId: ProviderId; readonly accountId: AccountId };
export type Decision = { readonly workload: Workload; readonly events: readonly OrchestratorEvent[] };

type Sighting = Pick<Workload, 'services' | 'lastSeenMs'>;

const NEVER_SEEN: Sighting = { services: [], lastSeenMs: null };

const workloadOf = (row: WorkloadEntity, { services, lastSeenMs }: Sighting = NEVER_SEEN): Workload => {
  const { leaseId, providerId, accountId, version, state } = row;
  return { leaseId, providerId, accountId, version, state, services, lastSeenMs };
};

/**
 * Decides on workloads, one transaction a decision: the row is locked, the events are appended, the fold is written.
 * What is not over yet is also kept in memory, so that the many looks that change nothing cost no transaction.
 */
@Injectable()
export class WorkloadStore {
  private readonly live = new Map<LeaseId, Workload>();

  constructor(
    private readonly dataSource: DataSource,
    private readonly events: EventStore<OrchestratorEvent>,
    private readonly outbox: Outbox,
  ) {}

  /** Reads all workloads that are not over. */
  async loadLive(): Promise<readonly Workload[]> {
    const rows = await this.dataSource.getRepository(WorkloadEntity).findBy({ isOver: false });
    const leaseIds = rows.map(({ leaseId }) => leaseId);
    const seen = await this.dataSource
      .getRepository(WorkloadSightingEntity)
      .findBy({ leaseId: In(leaseIds) });
    const sightings = new Map(seen.map((sighting) => [sighting.leaseId, sighting]));
    for (const row of rows) this.keep(workloadOf(row, sightings.get(row.leaseId)));
    return this.allLive();
  }

  allLive(): readonly Workload[] {
    return [...this.live.values()];
  }

  liveOf(providerId: ProviderId): readonly Workload[] {
    return this.allLive().filter((workload) => workload.providerId === providerId);
  }

  async find(leaseId: LeaseId): Promise<Workload | null> {
    const known = this.live.get(leaseId);
    if (known) return known;
    const row = await this.dataSource.getRepository(WorkloadEntity).findOneBy({ leaseId });
    if (!row) return null;
    const workload = workloadOf(row, await this.sightingOf(this.dataSource.manager, leaseId));
    this.keep(workload);
    return workload;
  }

  /**
   * Decides and records in a transaction of its own. A command that changes nothing costs none.
   * @param veto looks at the events before they are recorded; true leaves everything as it is
   * @throws DomainError `workload_not_found`, and what the decider throws
   */
  async decide(
    leaseId: LeaseId,
    command: WorkloadCommand,
    veto: (events: readonly OrchestratorEvent[]) => boolean = () => false,
  ): Promise<Decision> {
    const known = await this.find(leaseId);
    if (!known) throw notFound('workload', leaseId);
    if (workloadDecider.decide(command, known.state).length === 0) return { workload: known, events: [] };
    const decision = await this.dataSource.transaction((manager) =>
      this.decideIn(manager, leaseId, command, known, veto),
    );
    this.committed(decision);
    return decision;
  }

  /** Decides inside the caller's transaction. After its commit the caller hands the decision to `committed`. */
  async decideIn(
    manager: EntityManager,
    leaseId: LeaseId,
    command: WorkloadCommand,
    owner: Owner,
    veto: (events: readonly OrchestratorEvent[]) => boolean = () => false,
  ): Promise<Decision> {
    const repository = manager.getRepository(WorkloadEntity);
    const row = await repository.findOne({ where: { leaseId }, lock: { mode: 'pessimistic_write' } });
    const before: Workload = row
      ? workloadOf(row, this.live.get(leaseId) ?? (await this.sightingOf(manager, leaseId)))
      : { leaseId, ...pickOwner(owner), version: 0, state: noWorkload, ...NEVER_SEEN };
    const events = workloadDecider.decide(command, before.state);
    if (events.length === 0 || veto(events)) return { workload: before, events: [] };
    const state = events.reduce(workloadDecider.evolve, before.state);
    const workload = { ...before, state, version: before.version + events.length };
    await this.events.append(manager, [{ streamId: leaseId, expectedVersion: before.version, events }]);
    await repository.save(repository.create(workloadRow(workload)));
    return { workload, events };
  }

  /** To be called once the transaction of `decideIn` is committed. */
  committed({ workload, events }: Decision): void {
    if (workload.version > 0) this.keep(workload);
    if (events.length > 0) this.outbox.wake();
  }

  /** Notes how many replicas the cluster shows, for those who ask; says nothing that is decided upon. */
  async noteSeen(leaseId: LeaseId, services: readonly ServiceReplicas[], seenMs: number): Promise<void> {
    const known = this.live.get(leaseId);
    if (!known) return;
    this.live.set(leaseId, { ...known, services, lastSeenMs: seenMs });
    if (JSON.stringify(known.services) === JSON.stringify(services)) return;
    const sighting = { leaseId, services: services.map((service) => ({ ...service })), lastSeenMs: seenMs };
    await this.dataSource.getRepository(WorkloadSightingEntity).upsert(sighting, ['leaseId']);
  }

  private keep(workload: Workload): void {
    if (isOver(workload.state)) this.live.delete(workload.leaseId);
    else this.live.set(workload.leaseId, workload);
  }

  private async sightingOf(manager: EntityManager, leaseId: LeaseId): Promise<Sighting> {
    const row = await manager.getRepository(WorkloadSightingEntity).findOneBy({ leaseId });
    return row ?? NEVER_SEEN;
  }
}

const pickOwner = ({ providerId, accountId }: Owner): Owner => ({ providerId, accountId });
