import { computeMarket } from '@gridbourse/chain';
import { GridbourseClient, type Lease } from '@gridbourse/sdk';
import { eventually } from '@gridbourse/testing';
import {
  expectBooksInOrder,
  MANIFEST,
  PlatformProcess,
  STARTING_TEST_MS,
} from '@gridbourse/testing/platform';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { JsonRpcProvider, Wallet } from 'ethers';

// Real here: everything, as `npm start` starts it. The tenant goes past the platform, with nothing but a wallet.

describe('what a tenant does on chain', () => {
  let platform: PlatformProcess;
  let client: GridbourseClient;
  let provider: JsonRpcProvider;

  beforeAll(async () => {
    platform = await PlatformProcess.prepare();
    await platform.start();
    client = new GridbourseClient({ origin: platform.origin, auth: { apiKey: platform.tenant.apiKey } });
    const { chain } = await client.escrow();
    provider = new JsonRpcProvider(chain.rpcUrl, chain.chainId, { staticNetwork: true });
    const { code, stderr } = await platform.cli(['escrow', 'deposit', '50']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  }, STARTING_TEST_MS);
  afterAll(async () => {
    provider.destroy();
    await platform.discard();
  }, 60_000);

  const leaseWhen = (orderId: string, fits: (lease: Lease) => void): Promise<Lease> =>
    eventually(
      async () => {
        const [lease] = (await client.order(orderId)).leases;
        expect(lease).toBeDefined();
        fits(lease!);
        return lease!;
      },
      { deadlineMs: 120_000 },
    );

  it('extends a lease: it runs for longer than was agreed, and every second of it is paid for', async () => {
    const { orderId } = await client.createOrder({ manifest: MANIFEST, durationSeconds: 8 });
    const { leaseId, chainLeaseKey, ...agreed } = await leaseWhen(orderId, ({ state }) =>
      expect(state).toBe('active'),
    );
    const { code, stdout, stderr } = await platform.cli(['lease', 'extend', leaseId, '4s', '--json']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ leaseId, addedSeconds: 4 });
    await leaseWhen(orderId, (lease) =>
      expect(lease).toMatchObject({
        state: 'closed',
        closeReason: 'escrow_exhausted',
        capacityReleased: true,
      }),
    );
    expect((await client.workload(leaseId)).seconds).toBe(12);
    const earned = (BigInt(agreed.rate.micros) * 12n) / 3_600n;
    const market = computeMarket((await client.escrow()).chain.computeMarket, provider);
    const { open, settled } = await market.leaseOf(chainLeaseKey!);
    expect({ open, settled }).toEqual({ open: false, settled: earned });
    await expectBooksInOrder(client);
  }, 240_000);

  it('ends a lease by its stop: the workload goes, what ran is paid, the rest is back, and the books agree', async () => {
    const { orderId } = await client.createOrder({
      manifest: MANIFEST.replace('duration: 1h', 'duration: 6h'),
    });
    const running = await leaseWhen(orderId, ({ state }) => expect(state).toBe('active'));
    const { chain } = await client.escrow();
    const market = computeMarket(chain.computeMarket, new Wallet(platform.tenant.privateKey, provider));
    await (await market.stopLease(running.chainLeaseKey!)).wait();
    const { lock } = await market.leaseOf(running.chainLeaseKey!);
    expect(lock < BigInt(running.lock.micros)).toBe(true);

    const closed = await leaseWhen(orderId, (lease) =>
      expect(lease).toMatchObject({ state: 'closed', closeReason: 'tenant', capacityReleased: true }),
    );
    const onChain = await market.leaseOf(running.chainLeaseKey!);
    expect({ open: onChain.open, settled: onChain.settled.toString() }).toEqual({
      open: false,
      settled: closed.paid!.micros,
    });
    await eventually(async () => {
      const books = await client.books();
      const { free, locked } = await market.tenantOf(platform.tenant.wallet);
      expect([books.free.micros, books.locked.micros]).toEqual([free.toString(), locked.toString()]);
      expect(locked).toBe(0n);
    });
    await expectBooksInOrder(client);
  }, 240_000);
});
