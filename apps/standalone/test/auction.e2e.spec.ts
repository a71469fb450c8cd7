import { type Bid, GridbourseClient, type Order } from '@gridbourse/sdk';
import { eventually } from '@gridbourse/testing';
import {
  expectBooksInOrder,
  MANIFEST,
  PlatformProcess,
  STARTING_TEST_MS,
} from '@gridbourse/testing/platform';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

// Real here: everything, as `npm start` starts it. The providers of the local market bid by their agents' own policy.

const PATIENT = { deadlineMs: 120_000, everyMs: 100 };

describe('an order by auction', () => {
  let platform: PlatformProcess;
  let tenant: GridbourseClient;

  const cli = async <T>(...args: string[]): Promise<T> => {
    const { code, stdout, stderr } = await platform.cli(['--json', ...args]);
    expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: '' });
    return JSON.parse(stdout) as T;
  };

  beforeAll(async () => {
    platform = await PlatformProcess.prepare();
    await platform.start();
    tenant = new GridbourseClient({ origin: platform.origin, auth: { apiKey: platform.tenant.apiKey } });
    writeFileSync(join(platform.dataDir, 'deploy.yaml'), MANIFEST);
    expect((await platform.cli(['escrow', 'deposit', '20'])).code).toBe(0);
  }, STARTING_TEST_MS);
  afterAll(() => platform.discard(), 60_000);

  it('takes sealed bids, runs at the best of them, and is paid for at that price', async () => {
    const file = join(platform.dataDir, 'deploy.yaml');
    const placed = await cli<Order>('orders', 'create', '-f', file, '--mode', 'auction', '--window', '5');
    expect(placed).toMatchObject({
      state: 'bidding',
      mode: 'auction',
      auction: { result: null },
      leases: [],
    });
    const { orderId } = placed;
    expect((await tenant.bids({ orderId })).items).toEqual([]);

    const lease = await eventually(async () => {
      const { leases } = await tenant.order(orderId);
      return leases.find(({ state }) => state === 'active') ?? null;
    }, PATIENT);
    const { items: bids } = await cli<{ items: Bid[] }>('bids', 'list', '--order', orderId);
    expect(bids.length).toBeGreaterThanOrEqual(2);
    const won = bids.filter(({ state }) => state === 'won');
    expect(won).toMatchObject([{ leaseId: lease.leaseId, rate: lease.rate, offerId: lease.offerId }]);
    const { auction, summary } = await tenant.explanation(orderId);
    expect(auction!.result).toMatchObject({
      bids: bids.length,
      groups: [{ winner: { bidId: won[0]!.bidId, rate: lease.rate }, runnerUp: { rate: {} } }],
    });
    expect(summary).toContain(`${lease.providerId} at ${lease.rate.usdc} USDC/h`);
    await eventually(
      async () => expect((await tenant.workload(lease.leaseId)).seconds).toBeGreaterThan(0),
      PATIENT,
    );
    await tenant.closeLease(lease.leaseId);
    await eventually(async () => {
      const closed = await tenant.lease(lease.leaseId);
      expect(closed).toMatchObject({ state: 'closed', closeReason: 'tenant', capacityReleased: true });
      expect(BigInt(closed.paid!.micros)).toBeGreaterThan(0n);
    }, PATIENT);
    await expectBooksInOrder(tenant);
    const invoice = await tenant.invoice(lease.leaseId);
    expect(invoice.rate).toEqual(won[0]!.rate);
    // By its list the same offer asks more: the lease is cheaper for having been auctioned.
    const quote = await tenant.quote({ manifest: MANIFEST, includeProviders: [lease.providerId] });
    const listed = quote.leases[0]!.candidates.find(({ offerId }) => offerId === lease.offerId)!;
    expect(BigInt(lease.rate.micros)).toBeLessThan(BigInt(listed.rate.micros));
  }, 300_000);

  it('is refused a late bid with the time of the close', async () => {
    const { items } = await tenant.orders({ limit: 1 });
    const [order] = items;
    const { offerId } = order!.leases[0]!;
    const late = await platform.cli(['bids', 'place', order!.orderId, '--offer', offerId, '--rate', '0.01']);
    expect(late).toMatchObject({ code: 5, stderr: expect.stringContaining(order!.auction!.closesAt) });
  });
});
