import { MANIFEST, PlatformProcess, STARTING_TEST_MS } from '@gridbourse/testing/platform';
import { devKey } from '@gridbourse/infra';
import { type KubeSim, type Pod, PODS, startKubeSim } from '@gridbourse/kube-sim';
import { GridbourseClient, type Lease } from '@gridbourse/sdk';
import { eventually } from '@gridbourse/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AgentProcess, priceRule, startAgent } from './support/agent-process.ts';

// Real here: the platform without its local market, and two providers of one region, each an agent in a process of its own.
// Their clusters are kube-sims in this process.

const GPUS_EACH = 2;
/** More replicas than any one provider has GPUs. */
const REPLICAS = 3;

/** A job of that many replicas with a GPU each, which all end by themselves. */
const JOB = MANIFEST.replace('image: nginx:1.29', 'image: busybox:1.37\n    command: ["sleep", "8"]')
  .replace(/    expose:\n(?: {6,}.*\n)+/, '')
  .replace('count: 1', `count: ${REPLICAS}`);

describe('a job that is divided over two providers', () => {
  let platform: PlatformProcess;
  let client: GridbourseClient;
  const clusters: KubeSim[] = [];
  const agents: AgentProcess[] = [];

  const joins = async (name: string, wallet: number): Promise<void> => {
    const cluster = await startKubeSim({
      nodes: [
        {
          ...{ name: 'box', cpuMillis: 16_000, memoryMiB: 65_536, storageMiB: 500_000, gpus: GPUS_EACH },
          gpu: { product: 'NVIDIA-GeForce-RTX-4090', vramMiB: 24_564, vendor: 'nvidia' },
        },
      ],
      storageClasses: ['default'],
    });
    clusters.push(cluster);
    const agent = await startAgent(platform, {
      name,
      walletKey: devKey(wallet).privateKey,
      kubeconfig: cluster.kubeconfig,
      prices: [priceRule('rtx4090', { gpu: 'rtx4090' }, '0.35')],
    });
    agents.push(agent);
  };

  beforeAll(async () => {
    platform = await PlatformProcess.prepare('standalone', { GRIDBOURSE_MARKET: 'off' });
    await platform.start();
    client = new GridbourseClient({ origin: platform.origin, auth: { apiKey: platform.tenant.apiKey } });
    await joins('Seine', 30);
    await joins('Marne', 31);
    await eventually(
      async () => {
        const { items } = await client.offers({ limit: 200 });
        expect({
          said: agents.map((agent) => agent.said()),
          gpus: items.map(({ gpusTotal }) => gpusTotal),
        }).toMatchObject({
          gpus: [GPUS_EACH, GPUS_EACH],
        });
      },
      { deadlineMs: 120_000, everyMs: 100 },
    );
    expect((await platform.cli(['escrow', 'deposit', '20'])).code).toBe(0);
  }, STARTING_TEST_MS);
  afterAll(async () => {
    for (const agent of agents) agent.kill();
    await platform.discard();
    for (const cluster of clusters) await cluster.close();
  }, 60_000);

  /** The number of each replica over all clusters, as its own environment tells it. */
  const numbersOfPods = (): number[] =>
    clusters
      .flatMap(({ store }) => store.list<Pod>(PODS))
      .map((pod) => {
        const env = pod.spec.containers[0]!.env ?? [];
        const read = (name: string): number => Number(env.find((one) => one.name === name)?.value);
        expect(read('GRIDBOURSE_REPLICAS')).toBe(REPLICAS);
        return read('GRIDBOURSE_FIRST_REPLICA') + read('JOB_COMPLETION_INDEX');
      })
      .sort();

  const leasesOf = async (orderId: string): Promise<Lease[]> => (await client.order(orderId)).leases;

  it('is refused while it must stay whole, is told that dividing would do, and may say so in its manifest', async () => {
    const quote = await client.quote({ manifest: JOB, run: 'job' });
    expect(quote).toMatchObject({ matched: false, explanation: { smallestChange: { to: '2' } } });
    expect(quote.explanation!.smallestChange!.field).toContain('maxProviders');
    const manifest = JOB.replace('    any:\n', '    any:\n      attributes:\n        max_providers: "2"\n');
    const divided = await client.quote({ manifest, run: 'job' });
    expect(divided).toMatchObject({
      matched: true,
      leases: [{ parts: [{ number: 1, of: 2 }, { number: 2 }] }],
    });
  }, 60_000);

  it('runs at both, each replica with a number of its own, and both leases are paid', async () => {
    const file = join(platform.dataDir, 'gang.yaml');
    writeFileSync(file, JOB);
    const created = await platform.cli([
      '--json',
      'order',
      'create',
      '-f',
      file,
      '--job',
      '--max-providers',
      '2',
    ]);
    expect(created).toMatchObject({ code: 0 });
    const { orderId } = JSON.parse(created.stdout.trim().split('\n').at(-1)!) as { orderId: string };
    await eventually(
      async () => expect((await leasesOf(orderId)).map(({ state }) => state)).toEqual(['active', 'active']),
      { deadlineMs: 120_000, everyMs: 50 },
    );
    expect(numbersOfPods()).toEqual([0, 1, 2]);
    const leases = await leasesOf(orderId);
    expect(new Set(leases.map(({ providerId }) => providerId)).size).toBe(2);
    expect(leases.map(({ part }) => part!.services[0]!.replicas).sort()).toEqual([1, 2]);
    const shown = await platform.cli(['order', 'show', orderId]);
    expect(shown.stdout).toContain('any 1/2: web');
    await eventually(
      async () => {
        for (const lease of await leasesOf(orderId)) {
          expect(lease).toMatchObject({ state: 'closed', closeReason: 'completed', capacityReleased: true });
          expect(BigInt(lease.paid!.micros) > 0n).toBe(true);
          expect(BigInt(lease.paid!.micros) + BigInt(lease.refunded!.micros)).toBe(BigInt(lease.lock.micros));
        }
        expect((await client.order(orderId)).state).toBe('fulfilled');
      },
      { deadlineMs: 180_000, everyMs: 100 },
    );
    expect(clusters.flatMap(({ store }) => store.list(PODS))).toEqual([]);
  }, 360_000);
});
