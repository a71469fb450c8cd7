import type { GridbourseClient, Lease, Order } from '@gridbourse/sdk';
import { expect } from '@jest/globals';
import { eventually } from '../eventually.ts';

export type World = { orders: Order[]; leases: Lease[] };

export const readWorld = async (client: GridbourseClient): Promise<World> => {
  const orders: Order[] = [];
  for await (const order of client.all((options) => client.orders({ ...options, limit: 200 })))
    orders.push(order);
  const leases: Lease[] = [];
  for await (const lease of client.all((options) => client.leases({ ...options, limit: 200 })))
    leases.push(lease);
  return { orders, leases };
};

const micros = (money: { micros: string } | null): bigint => BigInt(money?.micros ?? '0');

/** A lease closes before its machine has said that nothing of it is left: that, and the last payment, come after. */
const REST_MS = 120_000;

/**
 * Invariants of the domain that can be seen from outside. What must hold at any moment is looked at once; what holds
 * when everything has come to rest is waited for.
 */
export const expectBooksInOrder = async (client: GridbourseClient): Promise<void> => {
  await expectMoneyConserved(client);
  await eventually(() => expectAtRest(client), { deadlineMs: REST_MS, everyMs: 200 });
};

/** Invariant 2: deposits = free + locked + spent + withdrawn; nothing below zero. */
const expectMoneyConserved = async (client: GridbourseClient): Promise<void> => {
  const books = await client.books();
  expect(micros(books.free) + micros(books.locked) + micros(books.spent) + micros(books.withdrawn)).toBe(
    micros(books.deposited),
  );
  for (const part of [books.free, books.locked, books.spent, books.withdrawn]) {
    expect(micros(part) >= 0n).toBe(true);
  }
};

const expectAtRest = async (client: GridbourseClient): Promise<void> => {
  await expectMoneyConserved(client);
  const { leases } = await readWorld(client);
  const books = await client.books();
  // 4, 5: meter = ledger = chain, to the micro.
  expect(books.ledgerPaid).toEqual(books.meter);
  expect(books.chainPaid).toEqual(books.ledgerPaid);
  expect(books.openBreaks).toBe(0);
  for (const lease of leases.filter((l) => l.state === 'closed')) {
    // 6: a closed lease is paid and refunded once, its lock is used up, its capacity free.
    expect({ lease: lease.leaseId, sum: micros(lease.paid) + micros(lease.refunded) }).toEqual({
      lease: lease.leaseId,
      sum: micros(lease.lock),
    });
    expect({ lease: lease.leaseId, released: lease.capacityReleased }).toEqual({
      lease: lease.leaseId,
      released: true,
    });
    const workload = await client.workload(lease.leaseId);
    expect({ lease: lease.leaseId, observed: workload.observed }).toEqual({
      lease: lease.leaseId,
      observed: 'absent',
    });
    // 4: what was paid is exactly what ran.
    const earned = (micros(lease.rate) * BigInt(workload.seconds)) / 3_600n;
    const bounded = earned < micros(lease.lock) ? earned : micros(lease.lock);
    expect({ lease: lease.leaseId, paid: micros(lease.paid) }).toEqual({
      lease: lease.leaseId,
      paid: bounded,
    });
  }
  const ids = leases.map((lease) => lease.leaseId);
  expect(new Set(ids).size).toBe(ids.length);
};
