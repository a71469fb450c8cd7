import { computeMarket } from '@gridbourse/chain';
import { GridbourseClient } from '@gridbourse/sdk';
import { eventually } from '@gridbourse/testing';
import { expectBooksInOrder, MANIFEST, PlatformProcess, readWorld } from '@gridbourse/testing/platform';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { JsonRpcProvider } from 'ethers';

// Real here: everything, as `npm start` starts it.

describe('the main job', () => {
  let platform: PlatformProcess;
  let client: GridbourseClient;

  beforeAll(async () => {
    platform = await PlatformProcess.prepare();
    await platform.start();
    client = new GridbourseClient({ origin: platform.origin, auth: { apiKey: platform.tenant.apiKey } });
  }, 180_000);
  afterAll(() => platform.discard(), 60_000);

  it('is played by the demo, and the books agree to the micro', async () => {
    const { code, stdout, stderr } = await platform.cli(['demo', '--json']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const report = JSON.parse(stdout.trim().split('\n').at(-1)!) as Record<string, unknown> & {
      orderToRunningMs: { p99: number };
      chainConfirmMs: { p99: number };
    };
    expect(report).toMatchObject({ breaks: 0, unmatched: 1 });
    expect(report['orders']).toBe((report['matched'] as number) + 1);
    expect(BigInt(report['meterMicros'] as string) > 0n).toBe(true);
    expect(report['ledgerPaidMicros']).toBe(report['meterMicros']);
    expect(report['chainPaidMicros']).toBe(report['meterMicros']);
    expect(report['savingVsCloudList'] as number).toBeGreaterThan(0.4);
    await expectBooksInOrder(client);
  }, 240_000);

  it('ends a lease whose workload cannot start: nothing is billed, everything is refunded', async () => {
    const order = await client.createOrder({
      manifest: MANIFEST.replace('nginx:1.29', 'registry.example/does-not-exist:1'),
    });
    await eventually(
      async () => {
        const { leases } = await client.order(order.orderId);
        expect(leases).toMatchObject([
          { state: 'closed', closeReason: 'start_failed', capacityReleased: true },
        ]);
        expect(leases[0]!.paid!.micros).toBe('0');
        expect(leases[0]!.refunded).toEqual(leases[0]!.lock);
      },
      { deadlineMs: 120_000 },
    );
  }, 150_000);

  it('has on chain what the platform says, read from the contract itself', async () => {
    const { chain } = await client.escrow();
    const provider = new JsonRpcProvider(chain.rpcUrl, chain.chainId, { staticNetwork: true });
    const market = computeMarket(chain.computeMarket, provider);
    try {
      const { leases } = await readWorld(client);
      const closed = leases.filter((lease) => lease.state === 'closed');
      expect(closed.length).toBeGreaterThan(5);
      for (const lease of closed) {
        const onChain = await market.leaseOf(lease.chainLeaseKey!);
        expect({ lease: lease.leaseId, open: onChain.open, settled: onChain.settled.toString() }).toEqual({
          lease: lease.leaseId,
          open: false,
          settled: lease.paid!.micros,
        });
      }
      const books = await client.books();
      const tenant = await market.tenantOf(platform.tenant.wallet);
      expect(tenant.free.toString()).toBe(books.free.micros);
      expect(tenant.locked.toString()).toBe(books.locked.micros);
    } finally {
      provider.destroy();
    }
  }, 60_000);

  it('shows itself: documents, health, metrics', async () => {
    const openapi = (await (await fetch(`${platform.origin}/openapi.json`)).json()) as {
      openapi: string;
      paths: Record<string, unknown>;
    };
    expect(openapi.openapi).toBe('3.1.0');
    for (const path of [
      '/v1/orders',
      '/v1/quotes',
      '/v1/leases',
      '/v1/escrow',
      '/v1/providers',
      '/v1/chain',
    ]) {
      expect(Object.keys(openapi.paths)).toContain(path);
    }
    expect((await fetch(`${platform.origin}/docs`)).headers.get('content-type')).toContain('text/html');
    expect((await fetch(`${platform.origin}/health/ready`)).status).toBe(200);
    for (const service of ['registry', 'matchmaker', 'orchestrator', 'billing', 'chain-indexer']) {
      expect((await fetch(`${platform.origin}/services/${service}/health/ready`)).status).toBe(200);
      expect(await (await fetch(`${platform.origin}/services/${service}/metrics`)).text()).toContain('# ');
    }
  });
});
