import { expect } from '@jest/globals';
import { isAlive, type Lease } from '../../src/domain/lease.ts';
import { isBidding, isEnded, type Order } from '../../src/domain/order.ts';
import type { Exchange } from '../../src/domain/process/exchange.ts';
import type { Bench } from '../bench.ts';
import { TENANT } from '../builders.ts';

/** What is held, promised, kept by leases of other offers and free of an offer is all of it. */
export const checkCapacity = (exchange: Exchange): void => {
  for (const offer of exchange.market.offers()) {
    const { declared, held, committed, elsewhere, free } = exchange.book.usage(offer);
    for (const dimension of ['gpus', 'cpuMillis', 'memoryMiB', 'storageMiB'] as const) {
      const all = [held, committed, elsewhere, free].map((amounts) => amounts[dimension]);
      expect(all.reduce((total, amount) => total + amount, 0)).toBe(declared[dimension]);
    }
  }
};

/** The leases of one match have every replica of every group, each once, whoever has them; and parts are in one region. */
const checkWhole = (bench: Bench, order: Order, leases: readonly Lease[]): void => {
  const numbers = (groupName: string, name: string): number[] =>
    leases
      .filter((lease) => lease.group.name === groupName)
      .flatMap(({ group: { services }, part, placements }) => {
        const replicas = services.find((one) => one.name === name)?.replicas ?? 0;
        expect(placements.filter((placement) => placement.service === name)).toHaveLength(replicas);
        const first = part?.services.find((one) => one.service === name)?.firstReplica ?? 0;
        return Array.from({ length: replicas }, (_, i) => first + i);
      });
  for (const { name, services, maxProviders } of order.spec.groups) {
    const own = leases.filter((lease) => lease.group.name === name);
    expect(own.length).toBeLessThanOrEqual(maxProviders);
    const regions = own.map((lease) => bench.exchange.market.provider(lease.providerId)!.place.region);
    expect(new Set(regions).size).toBe(1);
    for (const one of services) {
      expect(numbers(name, one.name)).toEqual(Array.from({ length: one.replicas }, (_, i) => i));
    }
  }
};

/**
 * What was proposed is what was matched, all groups at once; and of a gang that lost a lease nobody lives.
 * @param from of the events, where the step began
 */
export const checkGangs = (bench: Bench, from: number): void => {
  const proposed = new Set<string>();
  const matched = new Set<string>();
  for (const { event } of bench.log.slice(from)) {
    if (event.type === 'LeaseProposed') proposed.add(event.leaseId);
    if (event.type !== 'OrderMatched') continue;
    for (const { leaseId } of event.leases) matched.add(leaseId);
    const leases = event.leases.map(({ leaseId }) => bench.lease(leaseId));
    checkWhole(bench, bench.order(event.orderId), leases);
  }
  expect(matched).toEqual(proposed);
  for (const order of bench.exchange.orders()) {
    const match = order.leaseIds.map((id) => bench.exchange.lease(id)!);
    const dead = match.filter((lease) => !isAlive(lease) && lease.endReason !== 'completed');
    if (dead.length > 0) expect(match.some(isAlive)).toBe(false);
    if (order.state === 'matched') expect(dead).toEqual([]);
  }
};

/** Nothing is held beyond its deadline, and nothing ends without a reason. */
/** What is counted along is what one finds by looking at everything. */
export const checkBurdens = ({ exchange }: Bench): void => {
  const accounts = new Set([...exchange.orders()].map(({ accountId }) => accountId));
  for (const accountId of [...accounts, TENANT]) {
    const orders = exchange.ordersOf(accountId);
    const leases = orders.flatMap(({ orderId }) => exchange.leasesOf(orderId));
    const promised = leases.filter(({ state }) => state === 'proposed' || state === 'accepted');
    expect(exchange.burdenOf(accountId)).toEqual({
      openOrders: orders.filter(({ state }) => !isEnded(state)).length,
      aliveLeases: leases.filter(isAlive).length,
      pendingLockMicros: promised.reduce((sum, { lockMicros }) => sum + lockMicros, 0n),
    });
  }
};

export const checkHolds = (bench: Bench): void => {
  const { now } = bench.circumstances;
  for (const lease of bench.exchange.leases()) {
    if (lease.state === 'proposed') expect(lease.acceptByMs).toBeGreaterThanOrEqual(now);
    if (lease.state === 'accepted') expect(lease.fundByMs).toBeGreaterThanOrEqual(now);
    if (!isAlive(lease)) expect(lease.endReason).not.toBeNull();
  }
};

/** Of each group one bid at most has won, its lease is the group's own, and at its price. */
export const checkWinners = (bench: Bench): void => {
  for (const order of bench.exchange.orders()) {
    const won = (order.auction?.bids ?? []).filter(({ holds }) => holds);
    expect(new Set(won.map(({ group }) => group)).size).toBe(won.length);
    for (const one of won) {
      expect(order.leaseIds).toContain(one.leaseId);
      expect(bench.exchange.lease(one.leaseId!)!.rateMicrosPerHour).toBe(one.rateMicrosPerHour);
    }
    const living = bench.exchange.leasesOf(order.orderId).filter(isAlive);
    const places = living.map(({ group, part }) => `${group.name}/${part?.number ?? 'whole'}`);
    expect(new Set(places).size).toBe(living.length);
    if (isBidding(order)) expect(living).toEqual([]);
  }
};

/** What has ended stays as it ended; machines are given back once. */
export const checkTerminals = (bench: Bench): void => {
  const ended = new Set<string>();
  for (const { event, leaseId, orderId } of bench.log) {
    const id = leaseId ?? orderId;
    if (ended.has(id)) expect(event.type).toBe('CapacityReleased');
    if (
      [
        'LeaseClosed',
        'LeaseLapsed',
        'LeaseRejected',
        'OrderFulfilled',
        'OrderCancelled',
        'OrderExpired',
      ].includes(event.type)
    )
      ended.add(id);
  }
  const released = bench.log
    .filter(({ event }) => event.type === 'CapacityReleased')
    .map(({ leaseId }) => leaseId);
  expect(new Set(released).size).toBe(released.length);
};

/**
 * Of what every lease says it has, by machine of a provider, whatever offer it was taken through: no sum of the book's own
 * is used. GPUs of one machine are whole for all of its leases, or slots for all of them.
 */
export const checkNoMachineIsOversold = (exchange: Exchange): void => {
  const taken = new Map<string, { gpus: number; cpuMillis: number; units: Set<string> }>();
  for (const lease of exchange.leases()) {
    if (lease.capacityReleased) continue;
    for (const { service: name, node } of lease.placements) {
      const { resources } = lease.group.services.find((one) => one.name === name)!;
      const key = `${lease.providerId}/${node}`;
      const here = taken.get(key) ?? { gpus: 0, cpuMillis: 0, units: new Set() };
      here.gpus += resources.gpu?.count ?? 0;
      here.cpuMillis += resources.cpuMillis;
      if (resources.gpu) here.units.add(lease.gpu!.sharing.mode);
      taken.set(key, here);
    }
  }
  for (const offer of exchange.market.offers()) {
    for (const { name, gpus, cpuMillis } of offer.nodes) {
      const here = taken.get(`${offer.providerId}/${name}`);
      if (!here) continue;
      expect(here.units.size).toBeLessThanOrEqual(1);
      expect(here.cpuMillis).toBeLessThanOrEqual(cpuMillis);
      if (here.units.has(offer.gpu!.sharing.mode)) expect(here.gpus).toBeLessThanOrEqual(gpus);
    }
  }
};

/** Whole GPUs and slots each go to who asked for them. @returns leases of slots */
export const checkSharing = (bench: Bench): number => {
  const leases = bench.leases();
  for (const { gpu, group: asked } of leases) {
    for (const { resources } of asked.services) {
      expect(gpu?.sharing.mode).toBe(resources.gpu?.sharing.mode);
    }
  }
  return leases.filter(({ gpu }) => gpu?.sharing.mode === 'shared').length;
};
