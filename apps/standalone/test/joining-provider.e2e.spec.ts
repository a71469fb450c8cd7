import { MANIFEST, PlatformProcess, STARTING_TEST_MS } from '@gridbourse/testing/platform';
import { devKey } from '@gridbourse/infra';
import { type KubeSim, startKubeSim } from '@gridbourse/kube-sim';
import { GridbourseClient } from '@gridbourse/sdk';
import { eventually } from '@gridbourse/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type AgentProcess, priceRule, startAgent } from './support/agent-process.ts';

// Real here: the platform without its local market, and a provider that joins as docs/providers.md says: an agent in a
// process of its own. Its cluster is a kube-sim in this process.

describe('a provider that joins', () => {
  let platform: PlatformProcess;
  let client: GridbourseClient;
  let cluster: KubeSim | undefined;
  let agent: AgentProcess | undefined;

  beforeAll(async () => {
    platform = await PlatformProcess.prepare('standalone', { GRIDBOURSE_MARKET: 'off' });
    await platform.start();
    client = new GridbourseClient({ origin: platform.origin, auth: { apiKey: platform.tenant.apiKey } });
    cluster = await startKubeSim({
      nodes: [
        {
          ...{ name: 'box', cpuMillis: 16_000, memoryMiB: 65_536, storageMiB: 500_000, gpus: 2 },
          gpu: { product: 'NVIDIA-GeForce-RTX-4090', vramMiB: 24_564, vendor: 'nvidia' },
        },
      ],
      storageClasses: ['default'],
    });
    agent = await startAgent(platform, {
      name: 'Newcomer',
      walletKey: devKey(30).privateKey,
      kubeconfig: cluster.kubeconfig,
      prices: [priceRule('rtx4090', { gpu: 'rtx4090' }, '0.35')],
    });
  }, STARTING_TEST_MS);
  afterAll(async () => {
    agent?.kill();
    await platform.discard();
    await cluster?.close();
  }, 60_000);

  it('is active, with its stake and what its machines are', async () => {
    await eventually(
      async () => {
        const { items } = await client.providers({ limit: 200 });
        expect({ said: agent!.said(), items }).toMatchObject({
          items: [{ name: 'Newcomer', state: 'active', stake: { usdc: '1000.00' } }],
        });
        expect((await client.offers({ limit: 200 })).items).toMatchObject([
          { gpu: { model: 'rtx4090' }, gpusTotal: 2, price: { perGpu: { usdc: '0.35' } } },
        ]);
      },
      { deadlineMs: 120_000, everyMs: 100 },
    );
  }, 150_000);

  it('runs the next order, and is paid', async () => {
    expect((await platform.cli(['escrow', 'deposit', '5'])).code).toBe(0);
    const { orderId } = await client.createOrder({ manifest: MANIFEST });
    const leaseId = await eventually(
      async () => {
        const { leases } = await client.order(orderId);
        return leases.find(({ state }) => state === 'active')?.leaseId ?? null;
      },
      { deadlineMs: 120_000, everyMs: 100 },
    );
    await eventually(async () => expect((await client.workload(leaseId)).seconds).toBeGreaterThan(0), {
      deadlineMs: 30_000,
    });
    await client.closeLease(leaseId);
    await eventually(
      async () => {
        const closed = await client.lease(leaseId);
        expect(closed).toMatchObject({ state: 'closed', closeReason: 'tenant', capacityReleased: true });
        expect(BigInt(closed.paid!.micros) > 0n).toBe(true);
      },
      { deadlineMs: 120_000, everyMs: 100 },
    );
  }, 300_000);
});
