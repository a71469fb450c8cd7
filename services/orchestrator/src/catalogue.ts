import {
  closeReason,
  eventFamily,
  EventCatalogue,
  fields,
  startFailure,
  workloadEvents,
} from '@gridbourse/events';
import { z } from 'zod';
import type { LeaseSecretsErased } from './domain/lease-events.ts';
import type { OrchestratorEvent } from './domain/workload-events.ts';

const { id, instant } = fields;
const own = eventFamily('orchestrator', 'workload', 'private');

const workloadStarting = own(
  'WorkloadStarting',
  'Pods exist: they wait for a machine, or for their image.',
  z.object({ leaseId: id('lease'), phase: z.enum(['pending', 'pulling']), atMs: instant }),
);

const workloadTroubled = own(
  'WorkloadTroubled',
  'Something keeps it from running, and the deadline of that cause counts from here; a null cause ends the trouble.',
  z.object({
    leaseId: id('lease'),
    cause: startFailure.nullable(),
    message: z.string().max(1_000),
    atMs: instant,
  }),
);

const meterOpened = own(
  'MeterOpened',
  'A stretch of healthy time begins, of the very containers that the incarnation names.',
  z.object({ leaseId: id('lease'), sinceMs: instant, incarnation: z.string() }),
);

const workloadUnwanted = own(
  'WorkloadUnwanted',
  'The lease ends: the workload is wanted absent, and nothing after this instant is billed.',
  z.object({ leaseId: id('lease'), reason: z.union([closeReason, z.literal('lapsed')]), atMs: instant }),
);

const leaseSecretsErased = eventFamily('orchestrator', 'lease', 'private')(
  'LeaseSecretsErased',
  'Nothing will be started for the lease any more: its sealed secrets are kept nowhere here.',
  z.object({ leaseId: id('lease'), atMs: instant }),
);

/** Everything that the orchestrator stores: what it publishes, and what it keeps to itself. */
export const orchestratorCatalogue = new EventCatalogue<OrchestratorEvent | LeaseSecretsErased>([
  leaseSecretsErased,
  ...workloadEvents,
  workloadStarting,
  workloadTroubled,
  meterOpened,
  workloadUnwanted,
]);
