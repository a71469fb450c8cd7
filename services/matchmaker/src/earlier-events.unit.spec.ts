import type { EncodedEvent } from '@gridbourse/events';
import { describe, expect, it } from '@jest/globals';
import { Bench } from '../test/bench.ts';
import { group, offerPublished, readyProvider, service, submission } from '../test/builders.ts';
import { type AnyLeaseEvent, evolveLease, type Lease } from './domain/lease.ts';
import { type AnyOrderEvent, evolveOrder, type Order } from './domain/order.ts';
import { matchmakerCatalogue } from './event-catalogue.ts';

type Json = Record<string, unknown>;
const without = (value: Json, ...fields: string[]): Json =>
  Object.fromEntries(Object.entries(value).filter(([field]) => !fields.includes(field)));

/** A group as it was written while whole GPUs were all that was sold. */
const oldGroup = (value: unknown): Json => {
  const { services, ...rest } = without(value as Json, 'interconnect', 'maxProviders');
  const oldService = (one: Json): Json => {
    const { gpu, ...others } = one['resources'] as Json & { gpu: (Json & { models: Json[] }) | null };
    const oldGpu = gpu && {
      ...without(gpu, 'sharing'),
      models: gpu.models.map((model) => without(model, 'migProfile')),
    };
    return { ...one, resources: { ...others, gpu: oldGpu } };
  };
  return { ...rest, services: (services as Json[]).map(oldService) };
};

const oldForm = ({ type, data, ...rest }: EncodedEvent): EncodedEvent => {
  const fields = data as Json;
  if (type === 'OrderSubmitted') {
    const { spec, ...others } = without(fields, 'mode', 'weights', 'workloadClass');
    const { groups, ...ofSpec } = spec as Json & { groups: unknown[] };
    return { type, schemaVersion: 1, data: { ...others, spec: { ...ofSpec, groups: groups.map(oldGroup) } } };
  }
  if (type === 'LeaseProposed') {
    const { group: placed, ...others } = without(fields, 'gpu');
    return { type, schemaVersion: 1, data: { ...others, group: oldGroup(placed) } };
  }
  return { type, data, ...rest };
};

describe('orders and leases of before GPUs were sold in parts', () => {
  it('are restored from their events as they are now, asking for whole GPUs and any network', () => {
    const bench = new Bench().market(...readyProvider('p'), offerPublished('p', 'o'));
    const { orderId } = bench.submit(
      submission('old', [group('g', [service('a', { replicas: 2 }), service('b', { gpus: 0 })])]),
    );
    const [lease] = bench.leases();
    let [order, found]: [Order | null, Lease | null] = [null, null];
    for (const { event, leaseId } of bench.log) {
      const stored = JSON.parse(JSON.stringify(matchmakerCatalogue.encode(event))) as EncodedEvent;
      const read = matchmakerCatalogue.decode(oldForm(stored));
      if (leaseId === null) order = evolveOrder(order, read as AnyOrderEvent);
      else found = evolveLease(found, read as AnyLeaseEvent);
    }
    expect(order).toEqual(bench.order(orderId));
    expect(found).toEqual({ ...lease, gpu: null });
    expect(lease!.gpu).not.toBeNull();
    expect(order!.spec.groups[0]).toMatchObject({
      interconnect: null,
      services: [{ resources: { gpu: { sharing: { mode: 'whole' } } } }, { resources: { gpu: null } }],
    });
  });
});
