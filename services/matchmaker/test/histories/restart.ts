import { Exchange } from '../../src/domain/process/exchange.ts';
import type { Bench } from '../bench.ts';
import { idOf, refOf } from '../builders.ts';
import { PROVIDERS } from './market.ts';

/** What a restart finds: the registry's words, and the orders and leases that the stored events tell of. */
export const rebuilt = (bench: Bench): Exchange => {
  const exchange = new Exchange(refOf);
  for (const { event, sequence } of bench.registryLog) exchange.market.apply(event, sequence);
  const ids = new Set(bench.log.map(({ orderId }) => orderId));
  for (const id of ids) exchange.putOrder(bench.order(id));
  for (const lease of bench.leases()) exchange.putLease(lease);
  for (const id of ids) exchange.retire(id);
  return exchange;
};

/** All that an exchange knows, for comparing. */
export const facts = (exchange: Exchange) => ({
  orders: new Map([...exchange.orders()].map((order) => [order.orderId, order])),
  leases: new Map([...exchange.leases()].map((lease) => [lease.leaseId, lease])),
  waiting: exchange
    .waitingOrders()
    .map((order) => order.orderId)
    .sort(),
  bidding: exchange
    .biddingOrders()
    .map((order) => order.orderId)
    .sort(),
  usage: [...exchange.market.offers()].map((offer) => exchange.book.usage(offer)),
  providers: [...exchange.market.providers()],
  selling: PROVIDERS.map((name) => exchange.sellingOf(idOf('account', `owner of ${name}`))),
});

/** As they are stored: equal bytes, not only equal meaning. */
export const bytes = (exchange: Exchange): string =>
  JSON.stringify(
    {
      orders: [...exchange.orders()].sort((a, b) => (a.orderId < b.orderId ? -1 : 1)),
      leases: [...exchange.leases()].sort((a, b) => (a.leaseId < b.leaseId ? -1 : 1)),
      free: [...exchange.market.offers()].map((offer) => exchange.book.free(offer)),
      providers: [...exchange.market.providers()],
    },
    (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value),
  );
