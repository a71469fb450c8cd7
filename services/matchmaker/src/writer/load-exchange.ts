import type { EventStore } from '@gridbourse/event-store';
import type { DomainEvent } from '@gridbourse/events';
import type { LeaseId, OrderId } from '@gridbourse/kernel';
import type { DataSource } from 'typeorm';
import { leaseReference } from '../adapters/lease-reference.ts';
import { evolveLease } from '../domain/lease.ts';
import { evolveOrder } from '../domain/order.ts';
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
  WHERE o.live GROUP BY o.order_id ORDER BY o.order_id`;

/** Orders whose events are read at once. */
const PAGE = 500;

/**
 * Rebuilds the state of the matchmaker from what is committed: the market from its tables, orders and leases that are
 * not over by folding their events. What is over is not read, however much of it there is.
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
    const live = await manager.query<Ids[]>(LIVE);
    for (let at = 0; at < live.length; at += PAGE) {
      const page = live.slice(at, at + PAGE);
      const streams = await store.loadMany(
        manager,
        page.flatMap(({ order_id: orderId, leases }) => [orderId, ...leases]),
      );
      for (const ids of page) restore(exchange, ids, streams);
    }
    return exchange;
  });

const restore = (
  exchange: Exchange,
  { order_id: orderId, leases }: Ids,
  streams: ReadonlyMap<string, readonly DomainEvent[]>,
): void => {
  const order = fold(evolveOrder, streams.get(orderId));
  if (order) exchange.putOrder(order);
  for (const leaseId of leases) {
    const lease = fold(evolveLease, streams.get(leaseId));
    if (lease) exchange.putLease(lease);
  }
};

const fold = <S, E>(
  evolve: (state: S | null, event: E) => S,
  events: readonly DomainEvent[] = [],
): S | null => (events as unknown as readonly E[]).reduce<S | null>(evolve, null);
