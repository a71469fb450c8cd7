import { devKey } from '@gridbourse/infra';
import { type KubeSim, type Pod, PODS, startKubeSim } from '@gridbourse/kube-sim';
import { GridbourseClient, type Lease } from '@gridbourse/sdk';
import { eventually } from '@gridbourse/testing';
import {
  expectBooksInOrder,
  MANIFEST,
  PlatformProcess,
  STARTING_TEST_MS,
} from '@gridbourse/testing/platform';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type AgentProcess, priceRule, startAgent } from './support/agent-process.ts';

// Real here: the platform without its local market, and a provider whose agent is a process of its own. Its cluster is a
// kube-sim in this process: one machine shares its GPUs by time, one divides them by MIG, one has a whole one.

const PATIENT = { deadlineMs: 120_000, everyMs: 100 };
/** One core and 1 GiB each of memory and storage, beside the GPU: micro-USDC per hour. */
const BESIDE_MICROS = 1_000n + 139n + 14n;
const SLOT_MICROS = 150_000n;
const SLICE_MICROS = 200_000n;

const manifestFor = (units: string, model: string): string =>
  MANIFEST.replace('units: 1\n          attributes', `units: ${units}\n          attributes`).replace(
    'model: rtx4090',
    `model: ${model}`,
  );

describe('parts of GPUs', () => {
  let platform: PlatformProcess;
  let client: GridbourseClient;
  let cluster: KubeSim | undefined;
  let agent: AgentProcess | undefined;

  beforeAll(async () => {
    platform = await PlatformProcess.prepare('standalone', { GRIDBOURSE_MARKET: 'off' });
    await platform.start();
    client = new GridbourseClient({ origin: platform.origin, auth: { apiKey: platform.tenant.apiKey } });
    const size = { cpuMillis: 64_000, memoryMiB: 262_144, storageMiB: 2_000_000 };
    const a100 = { product: 'NVIDIA-A100-SXM4-80GB', vramMiB: 81_920 };
    const slices = { mode: 'mig', profile: '1g.10gb', slicesPerGpu: 7, sliceMiB: 9_728 } as const;
    cluster = await startKubeSim({
      nodes: [
        {
          ...{ ...size, name: 'slots', gpus: 8 },
          gpu: {
            ...{ product: 'NVIDIA-L4', vramMiB: 23_034 },
            sharing: { mode: 'shared', slotsPerGpu: 4, renamed: true },
          },
        },
        { ...size, name: 'slices', gpus: 7, gpu: { ...a100, sharing: { ...slices, strategy: 'mixed' } } },
        { ...size, name: 'whole', gpus: 1, gpu: { product: 'NVIDIA-A30', vramMiB: 24_576 } },
      ],
      storageClasses: ['default'],
    });
    agent = await startAgent(platform, {
      name: 'Divided',
      walletKey: devKey(31).privateKey,
      kubeconfig: cluster.kubeconfig,
      prices: [
        priceRule('slots', { gpu: 'l4', sharing: 'shared:4' }, '0.15'),
        priceRule('slices', { gpu: 'a100', sharing: 'mig:1g.10gb' }, '0.2'),
        priceRule('whole', {}, '0.9'),
      ],
    });
    expect((await platform.cli(['escrow', 'deposit', '20'])).code).toBe(0);
  }, STARTING_TEST_MS);
  afterAll(async () => {
    agent?.kill();
    await platform.discard();
    await cluster?.close();
  }, 60_000);

  const podsOf = (leaseId: string): Pod[] =>
    cluster!.store
      .list<Pod>(PODS)
      .filter(({ metadata }) => metadata.labels?.['gridbourse.dev/lease'] === leaseId);

  const activeLease = async (orderId: string): Promise<Lease> =>
    eventually(async () => {
      const { leases } = await client.order(orderId);
      return leases.find(({ state }) => state === 'active') ?? null;
    }, PATIENT);

  /** Runs until some seconds are metered, ends, and is settled. */
  const settle = async (leaseId: string): Promise<void> => {
    await eventually(
      async () => expect((await client.workload(leaseId)).seconds).toBeGreaterThan(0),
      PATIENT,
    );
    await client.closeLease(leaseId);
    await eventually(async () => {
      const closed = await client.lease(leaseId);
      expect(closed).toMatchObject({ state: 'closed', closeReason: 'tenant', capacityReleased: true });
      expect(BigInt(closed.paid!.micros)).toBeGreaterThan(0n);
    }, PATIENT);
    await expectBooksInOrder(client);
  };

  it('are offered as what they are', async () => {
    await eventually(async () => {
      const { items } = await client.offers({ limit: 200 });
      expect({
        said: agent!.said(),
        items: [...items].sort((a, b) => a.gpusTotal - b.gpusTotal),
      }).toMatchObject({
        items: [
          { gpu: { model: 'a30', sharing: { mode: 'whole' } }, gpusTotal: 1, state: 'available' },
          {
            gpu: { model: 'a100', vramMiB: 81_920, sharing: { mode: 'mig', profile: '1g.10gb' } },
            ...{ gpusTotal: 7, price: { perGpu: { usdc: '0.20' } } },
            // A seventh of 8 USDC/h.
            listPricePerGpuHour: { micros: '1142857' },
          },
          {
            gpu: { model: 'l4', vramMiB: 24_576, sharing: { mode: 'shared', slotsPerGpu: 4 } },
            ...{ gpusTotal: 8, price: { perGpu: { usdc: '0.15' } } },
          },
        ],
      });
    }, PATIENT);
    expect((await client.offers({ sharing: 'mig' })).items).toMatchObject([{ gpu: { model: 'a100' } }]);
  }, 150_000);

  it.each([
    ['a quarter of a GPU', '0.25', 'l4', 'nvidia.com/gpu.shared', SLOT_MICROS, { slotsPerGpu: 4 }],
    ['a MIG slice', '1', 'a100-mig-1g.10gb', 'nvidia.com/mig-1g.10gb', SLICE_MICROS, { profile: '1g.10gb' }],
  ])(
    'of which one is %s run on just that, are metered, and are paid for at its price',
    async (_, units, model, resource, perUnitMicros, sharing) => {
      const { orderId } = await client.createOrder({ manifest: manifestFor(units, model) });
      const lease = await activeLease(orderId);
      expect(lease.gpu?.sharing).toMatchObject(sharing);
      expect(lease.rate.micros).toBe(`${perUnitMicros + BESIDE_MICROS}`);
      const [pod, ...others] = podsOf(lease.leaseId);
      expect(others).toEqual([]);
      const asked = Object.entries(pod!.spec.containers[0]!.resources!.limits!).filter(([name]) =>
        name.includes('nvidia.com'),
      );
      expect(asked).toEqual([[resource, '1']]);
      expect(pod!.status.phase).toBe('Running');
      await settle(lease.leaseId);
      expect((await client.invoice(lease.leaseId)).rate).toEqual(lease.rate);
    },
    300_000,
  );

  it('never stand in for a whole GPU: such an order waits, and is told why', async () => {
    const { orderId } = await client.createOrder({ manifest: manifestFor('1', 'l4') });
    const order = await eventually(async () => {
      const found = await client.order(orderId);
      return found.state === 'unmatched' ? found : null;
    }, PATIENT);
    expect(order.leases).toEqual([]);
    const { summary, constraints } = await client.explanation(orderId);
    expect(summary).toContain('gpu_sharing');
    expect(constraints).toContainEqual(
      expect.objectContaining({ constraint: 'gpu_sharing', expected: 'whole GPUs' }),
    );
    await client.cancelOrder(orderId);
  }, 150_000);

  it('are not taken from larger parts that nobody offers', async () => {
    const { orderId } = await client.createOrder({ manifest: manifestFor('0.5', 'l4') });
    await eventually(async () => expect((await client.order(orderId)).state).toBe('unmatched'), PATIENT);
    const { constraints } = await client.explanation(orderId);
    expect(constraints.map(({ constraint }) => constraint)).toContain('gpu_sharing');
    await client.cancelOrder(orderId);
  }, 150_000);
});
