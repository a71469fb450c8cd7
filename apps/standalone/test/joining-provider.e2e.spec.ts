import { MANIFEST, PlatformProcess, STARTING_TEST_MS } from '@gridbourse/testing/platform';
import { devKey } from '@gridbourse/infra';
import { type KubeSim, startKubeSim } from '@gridbourse/kube-sim';
import { GridbourseClient } from '@gridbourse/sdk';
import { eventually } from '@gridbourse/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// Real here: the platform without its local market, and a provider that joins as docs/providers.md says: an agent in a
// process of its own. Its cluster is a kube-sim in this process.

const AGENT = fileURLToPath(new URL('../../provider-agent/dist/main.js', import.meta.url));

describe('a provider that joins', () => {
  let platform: PlatformProcess;
  let client: GridbourseClient;
  let cluster: KubeSim | undefined;
  let agent: ChildProcess | undefined;
  let said = '';

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
    const { chain } = await client.escrow();
    const { contracts } = platform.read<{ deployment: { contracts: Record<string, string> } }>(
      'deployment.json',
    ).deployment;
    const config = join(platform.dataDir, 'agent.config.json');
    writeFileSync(
      config,
      JSON.stringify({
        platformOrigin: platform.origin,
        grpcTarget: `127.0.0.1:${platform.grpcPort}`,
        grpcPlaintext: true,
        walletKey: devKey(30).privateKey,
        provider: {
          name: 'Newcomer',
          place: { country: 'FR', city: 'Paris', location: { latitude: 48.86, longitude: 2.35 } },
        },
        kubeconfig: cluster.kubeconfig,
        chain: {
          ...{ rpcUrl: chain.rpcUrl, chainId: chain.chainId, token: chain.usdc },
          providerRegistry: contracts['ProviderRegistry'],
          stakeMicros: '1000000000',
          mintStake: true,
        },
        prices: [
          {
            label: 'rtx4090',
            match: { gpu: 'rtx4090' },
            price: {
              perGpuUsdcPerHour: '0.35',
              perCpuCoreUsdcPerHour: '0.001',
              perMemoryGiBUsdcPerHour: '0.000139',
              perStorageGiBUsdcPerHour: '0.000014',
            },
            policy: { autoAccept: true, minDurationSeconds: 0, maxDurationSeconds: 2_592_000 },
            storageClasses: ['default'],
          },
        ],
        inventoryEveryMs: 1_000,
      }),
    );
    agent = spawn(process.execPath, [AGENT], {
      env: { ...process.env, NODE_OPTIONS: '', PROVIDER_AGENT_CONFIG: config },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [agent.stdout!, agent.stderr!])
      stream.on('data', (chunk: Buffer) => (said += chunk.toString('utf8')));
  }, STARTING_TEST_MS);
  afterAll(async () => {
    agent?.kill('SIGKILL');
    await platform.discard();
    await cluster?.close();
  }, 60_000);

  it('is active, with its stake and what its machines are', async () => {
    await eventually(
      async () => {
        const { items } = await client.providers({ limit: 200 });
        expect({ said, items }).toMatchObject({
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
