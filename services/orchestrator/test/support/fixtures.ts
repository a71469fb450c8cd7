import type { EventOf, leaseProposed, ServiceSpec } from '@gridbourse/events';
import {
  type AccountId,
  type LeaseId,
  newId,
  type OrderId,
  type ProviderId,
  seededRandom,
} from '@gridbourse/kernel';

let seed = 1;
const id = <K extends Parameters<typeof newId>[0]>(kind: K) =>
  newId(kind, 1_790_000_000_000, seededRandom((seed += 1)));

export const newLeaseId = (): LeaseId => id('lease');
export const newOrderId = (): OrderId => id('order');
export const newProviderId = (): ProviderId => id('provider');
export const newAccountId = (): AccountId => id('account');

export type LeaseProposedEvent = EventOf<typeof leaseProposed>;

export const serviceOf = (change: Partial<ServiceSpec> = {}): ServiceSpec => ({
  name: 'web',
  image: 'ghcr.io/example/web:1.0.0',
  imagePullPolicy: null,
  privateImage: false,
  command: [],
  args: [],
  envNames: [],
  ports: [],
  replicas: 1,
  resources: { cpuMillis: 500, memoryMiB: 512, gpu: null, volumes: [] },
  maxRateMicrosPerHour: 1_000_000n,
  ...change,
});

/** A lease with every replica of its services placed on one machine. */
export const leaseOf = (
  change: Partial<LeaseProposedEvent> & { services?: ServiceSpec[]; node?: string } = {},
): LeaseProposedEvent => {
  const { services = [serviceOf()], node = 'node-1', ...rest } = change;
  return {
    type: 'LeaseProposed',
    leaseId: newLeaseId(),
    orderId: newOrderId(),
    accountId: newAccountId(),
    tenantWallet: `0x${'ab'.repeat(20)}`,
    providerId: newProviderId(),
    chainProviderId: 1,
    offerId: id('offer'),
    group: {
      name: 'group',
      regions: [],
      attributes: {},
      tierFloor: 7,
      interconnect: null,
      maxProviders: 1,
      services,
    },
    gpu: null,
    part: null,
    run: 'service',
    secrets: null,
    placements: services.flatMap((service) =>
      Array.from({ length: service.replicas }, (_, replica) => ({ service: service.name, replica, node })),
    ),
    rateMicrosPerHour: 3_600_000n,
    durationSeconds: 3_600,
    lockMicros: 3_600_000n,
    listRateMicrosPerHour: null,
    acceptByMs: 1_790_000_060_000,
    proposedAtMs: 1_790_000_000_000,
    ...rest,
  };
};
