import { type EventStore } from '@gridbourse/event-store';
import type { LeaseId, OrderId } from '@gridbourse/kernel';
import type { DataSource } from 'typeorm';
import { leaseReference } from '../adapters/lease-reference.ts';
import { type AnyLeaseEvent, evolveLease, type Lease } from '../domain/lease.ts';
import { type AnyOrderEvent, evolveOrder, type Order } from '../domain/order.ts';
import { Exchange } from '../domain/process/exchange.ts';
import {
  EscrowBalanceEntity,
  OfferEntity,
  offerOfRow,
  ProviderEntity,
  providerOf,
} from '../read-models/market.entities.ts';

type Ids = { order_id: OrderId; leases: LeaseId[] };

const LIVE = `
  SELECT o.order_id, coalesce(array_agg(l.lease_id ORDER BY l.proposed_at_ms, l.lease_id) FILTER (WHERE l.lease_id IS NOT NULL), '{}') AS leases
  FROM orders o LEFT JOIN leases l USING (order_id)
  WHERE o.live GROUP BY o.order_id`;

/**
 * Rebuilds the state of the matchmaker from what is committed: the market from its tables, orders and leases that are
 * not over by folding their events. Costs one short query for each of those orders and leases.
 */
export const loadExchange = (dataSource: DataSource, store: EventStore): Promise<Exchange> =>
  dataSource.transaction('REPEATABLE READ', async (manager) => {
    await manager.query('SET TRANSACTION READ ONLY');
    const exchange = new Exchange(leaseReference);
    const providers = await manager.find(ProviderEntity);
    const offers = await manager.find(OfferEntity);
    exchange.market.restore(providers.map(providerOf), offers.map(offerOfRow));
    for (const { accountId, freeMicros, atMs } of await manager.find(EscrowBalanceEntity)) {
      exchange.putBalance(accountId, { freeMicros, atMs });
    }
    for (const { order_id: orderId, leases } of await manager.query<Ids[]>(LIVE)) {
      let order: Order | null = null;
      for (const event of (await store.load(manager, orderId)).events) {
        order = evolveOrder(order, event as AnyOrderEvent);
      }
      if (order) exchange.putOrder(order);
      for (const leaseId of leases) {
        let lease: Lease | null = null;
        for (const event of (await store.load(manager, leaseId)).events) {
          lease = evolveLease(lease, event as AnyLeaseEvent);
        }
        if (lease) exchange.putLease(lease);
      }
    }
    return exchange;
  });
