import type { EventStore, ReadModel, StoredEvent } from '@gridbourse/event-store';
import type { DomainEvent } from '@gridbourse/events';
import type { OrderId } from '@gridbourse/kernel';
import type { EntityManager } from 'typeorm';
import { type AnyLeaseEvent, evolveLease, isTerminal, type Lease } from '../domain/lease.ts';
import { type AnyOrderEvent, evolveOrder, isEnded, type Order } from '../domain/order.ts';
import { BidEntity, bidRows } from './bid.entity.ts';
import { LeaseEntity, leaseRow } from './lease.entity.ts';
import { OrderEntity, orderRow } from './order.entity.ts';

type Stored = StoredEvent<DomainEvent>;

/** How far each stream is to be folded: up to its last event among these. */
const lastVersions = (events: readonly Stored[]): Map<string, number> =>
  new Map(events.map(({ streamId, version }) => [streamId, version]));

/**
 * Orders, their bids and leases, made anew from the events of this service. Projecting is folding, as it is for the writer: a
 * row is what the events of its stream make of it.
 */
export const ordersReadModel = (store: EventStore): ReadModel<DomainEvent> => ({
  name: 'orders',
  version: 3,
  tables: ['orders', 'leases', 'bids'],
  project: async (manager, events) => {
    const orders: Order[] = [];
    const leases: Lease[] = [];
    const versions = lastVersions(events);
    const streams = await store.loadMany(manager, [...versions.keys()]);
    for (const [streamId, version] of versions) {
      const known = streams.get(streamId)!.slice(0, version);
      if (known[0]!.type === 'OrderSubmitted') {
        orders.push(foldOrder(known as unknown as AnyOrderEvent[]));
      } else leases.push(foldLease(known as unknown as AnyLeaseEvent[]));
    }
    // Orders before leases: a lease refers to its order.
    if (orders.length > 0) {
      await manager.upsert(
        OrderEntity,
        orders.map((order) => orderRow(order, true)),
        ['orderId'],
      );
    }
    for (const order of orders) {
      const bids = bidRows(order);
      if (bids.length > 0) await manager.upsert(BidEntity, bids, ['bidId']);
    }
    if (leases.length > 0) await manager.upsert(LeaseEntity, leases.map(leaseRow), ['leaseId']);
    await retire(manager, new Set([...orders, ...leases].map(({ orderId }) => orderId)));
  },
});

const foldOrder = (events: readonly AnyOrderEvent[]): Order =>
  events.reduce<Order | null>(evolveOrder, null)!;

const foldLease = (events: readonly AnyLeaseEvent[]): Lease =>
  events.reduce<Lease | null>(evolveLease, null)!;

/** Orders that are over with all their leases are no longer in the matchmaker's memory. */
const retire = async (manager: EntityManager, orderIds: ReadonlySet<OrderId>): Promise<void> => {
  for (const orderId of orderIds) {
    const order = await manager.findOneByOrFail(OrderEntity, { orderId });
    const leases = await manager.findBy(LeaseEntity, { orderId });
    const over =
      isEnded(order.state) && leases.every((lease) => isTerminal(lease.state) && lease.capacityReleased);
    if (over === order.live) await manager.update(OrderEntity, { orderId }, { live: !over });
  }
};
