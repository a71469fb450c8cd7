import type { HearingReadModel } from '@gridbourse/event-store';
import {
  type DomainEvent,
  type EventOf,
  leaseFunded,
  leaseProposed,
  leaseTermChanged,
} from '@gridbourse/events';
import type { LeaseId } from '@gridbourse/kernel';
import { type EntityManager, In } from 'typeorm';
import type { LeaseSecretsErased } from '../domain/lease-events.ts';
import type { OrchestratorEvent } from '../domain/workload-events.ts';
import { workloadDecider } from '../domain/workload-decider.ts';
import { noWorkload, type WorkloadState } from '../domain/workload.ts';
import { eraseSecretsOfRows, keepProposal, noteFunding, noteTerm } from './lease-rows.ts';
import { LeaseEntity } from './lease.entity.ts';
import { WorkloadEntity, workloadRow } from './workload.entity.ts';

type Folded = { version: number; state: WorkloadState };

const ERASED: LeaseSecretsErased['type'] = 'LeaseSecretsErased';

/** What has happened to one workload, folded onto the row that what was before has made. */
const foldWorkloads = async (
  manager: EntityManager,
  events: readonly {
    readonly leaseId: LeaseId;
    readonly version: number;
    readonly event: OrchestratorEvent;
  }[],
): Promise<void> => {
  const leaseIds = [...new Set(events.map(({ leaseId }) => leaseId))];
  if (leaseIds.length === 0) return;
  const folded = new Map<LeaseId, Folded>();
  for (const { leaseId, version, state } of await manager.findBy(WorkloadEntity, { leaseId: In(leaseIds) })) {
    folded.set(leaseId, { version, state });
  }
  for (const { leaseId, version, event } of events) {
    const before = folded.get(leaseId)?.state ?? noWorkload;
    folded.set(leaseId, { version, state: workloadDecider.evolve(before, event) });
  }
  const leases = await manager.findBy(LeaseEntity, { leaseId: In(leaseIds) });
  const rows = leases.map(({ leaseId, providerId, accountId }) =>
    workloadRow({ leaseId, providerId, accountId, ...folded.get(leaseId)! }),
  );
  await manager.upsert(WorkloadEntity, rows, ['leaseId']);
};

/** Leases as the matchmaker told of them, and their workloads as this service decided, made anew. */
export const leasesReadModel = (ownTypes: readonly string[]): HearingReadModel<DomainEvent> => ({
  name: 'leases',
  version: 1,
  tables: ['leases', 'workloads'],
  types: ownTypes,
  hears: [leaseProposed, leaseFunded, leaseTermChanged],
  project: async (manager, facts) => {
    const ofWorkloads: { leaseId: LeaseId; version: number; event: OrchestratorEvent }[] = [];
    for (const fact of facts) {
      if ('heard' in fact) {
        const event = fact.heard.event as EventOf<
          typeof leaseProposed | typeof leaseFunded | typeof leaseTermChanged
        >;
        if (event.type === 'LeaseProposed') await keepProposal(manager, event);
        else if (event.type === 'LeaseTermChanged')
          await noteTerm(manager, event.leaseId, event.durationSeconds);
        else await noteFunding(manager, event.leaseId, event.fundedAtMs);
      } else if (fact.own.event.type === ERASED) {
        const { leaseId, atMs } = fact.own.event as LeaseSecretsErased;
        await eraseSecretsOfRows(manager, [leaseId], atMs);
      } else {
        const { streamId, version, event } = fact.own;
        ofWorkloads.push({ leaseId: streamId as LeaseId, version, event: event as OrchestratorEvent });
      }
    }
    // A workload follows from its lease, so all leases of the page are there.
    await foldWorkloads(manager, ofWorkloads);
  },
});
