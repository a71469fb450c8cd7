import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  chainProvider,
  deployContracts,
  type Deployment,
  providerRegistry,
  testUsdc,
} from '@gridbourse/chain';
import { type Anvil, devKey, startAnvil } from '@gridbourse/infra';
import { type KubeSim, type SimNode, startKubeSim } from '@gridbourse/kube-sim';
import { silentLogger } from '@gridbourse/observability';
import { eventually } from '@gridbourse/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type AgentConfig, agentConfig, ProviderAgent } from '../src/index.ts';
import { TestPlatform } from './platform.ts';

// Real: the chain (anvil) with the contracts, the cluster's HTTP API (kube-sim), gRPC, HTTP, signatures. The platform
// is a stand-in that checks what the agent says.

const KEY = devKey(20);
const node = (name: string, gpus = 8): SimNode => ({
  name,
  cpuMillis: 128_000,
  memoryMiB: 1_048_576,
  storageMiB: 4_194_304,
  ...(gpus > 0 ? { gpus, gpu: { product: 'NVIDIA-H100-80GB-HBM3', vramMiB: 81_559 } } : {}),
});
const price = {
  perGpuUsdcPerHour: '1.87',
  perCpuCoreUsdcPerHour: '0.001',
  perMemoryGiBUsdcPerHour: '0',
  perStorageGiBUsdcPerHour: '0',
};
const policy = { autoAccept: true, minDurationSeconds: 0, maxDurationSeconds: 86_400 };

describe('a provider agent', () => {
  let anvil: Anvil;
  let deployment: Deployment;
  let folder: string;
  let platform: TestPlatform;
  let sim: KubeSim;
  const agents: ProviderAgent[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'agent-'));
    anvil = await startAnvil();
    deployment = await deployContracts({
      rpcUrl: anvil.rpcUrl,
      deployerKey: devKey(0).privateKey,
      roles: { operator: [devKey(1).address] },
    });
  });
  afterAll(async () => {
    await anvil.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    platform = new TestPlatform();
    await platform.start();
    sim = await startKubeSim({ nodes: [node('gpu-1'), node('cpu-1', 0)] });
  });
  afterEach(async () => {
    await Promise.all(agents.splice(0).map((agent) => agent.stop()));
    await platform.stop();
    await sim.close();
  });

  const configOf = (more: Partial<AgentConfig> = {}): AgentConfig => ({
    ...agentConfig.parse({
      platformOrigin: platform.origin,
      grpcTarget: platform.grpcTarget,
      grpcPlaintext: true,
      walletKey: KEY.privateKey,
      provider: { name: 'Test', place: { country: 'FR', location: { latitude: 48, longitude: 2 } } },
      kubeconfig: sim.kubeconfig,
      chain: {
        rpcUrl: anvil.rpcUrl,
        chainId: deployment.chainId,
        providerRegistry: deployment.contracts.ProviderRegistry,
        token: deployment.contracts.TestUSDC,
        stakeMicros: '1000000000',
        mintStake: true,
      },
      prices: [
        { label: 'h100', match: { gpu: 'h100' }, price, policy },
        { label: 'cpu', match: { gpu: null }, price, policy },
      ],
      inventoryEveryMs: 100,
      inventoryStaleMs: 300,
      maxBackoffMs: 200,
    }),
    ...more,
  });
  const run = (config: AgentConfig): ProviderAgent => {
    const agent = new ProviderAgent(config, { logger: silentLogger });
    agents.push(agent);
    agent.start();
    return agent;
  };
  const bodies = (path: string): unknown[] =>
    platform.calls.filter((call) => call.path === path).map(({ body }) => body);
  const connected = (agent: ProviderAgent) =>
    eventually(() => agent.status.connected, { deadlineMs: 15_000 });

  it('registers, stakes on chain once, offers what the cluster has, and heartbeats', async () => {
    const agent = run(configOf());
    await connected(agent);
    expect(agent.status).toEqual({ providerId: 'prv_1', connected: true, trouble: null });
    expect(bodies('/v1/providers/prv_1/cluster')).toEqual([{ kubeconfig: sim.kubeconfig }]);
    expect(bodies('/v1/providers/prv_1/offers')).toMatchObject([
      { label: 'cpu', gpu: null, nodes: [{ name: 'cpu-1', gpus: 0, cpuMillis: 128_000 }] },
      {
        label: 'h100',
        gpu: { model: 'h100', vramMiB: 81_920, interface: 'sxm' },
        nodes: [{ name: 'gpu-1', gpus: 8 }],
        price,
      },
    ]);
    await eventually(() => expect(platform.heartbeats[0]).toMatchObject({ sequence: '1' }));
    await eventually(() =>
      expect(platform.heartbeats.at(-1)!.nodes).toMatchObject([
        { name: 'cpu-1', ready: true },
        { name: 'gpu-1', gpuModel: 'h100', gpuAllocatable: 8, ready: true },
      ]),
    );
    const chain = chainProvider(anvil.rpcUrl, deployment.chainId);
    const registry = providerRegistry(deployment.contracts.ProviderRegistry, chain);
    const id = Number(await registry.providerIdOf(KEY.address));
    expect(await registry.stakeOf(id)).toBe(1_000_000_000n);
    expect(await testUsdc(deployment.contracts.TestUSDC, chain).balanceOf(KEY.address)).toBe(0n);

    await agent.stop();
    const again = run(configOf());
    await connected(again);
    expect(await registry.stakeOf(id)).toBe(1_000_000_000n);
    chain.destroy();
  });

  it('bids in auctions by its discount, once each, and signs in anew when it has to', async () => {
    platform.refuses = 'off_late';
    platform.openAuction('ord_1', ['off_h100', 'off_late']);
    await connected(run(configOf({ bidding: { discountPercent: 15 } })));
    const rate = { group: 'main', rateUsdcPerHour: '1.70' };
    const first = [
      { orderId: 'ord_1', offerId: 'off_h100', ...rate },
      { orderId: 'ord_1', offerId: 'off_late', ...rate },
    ];
    await eventually(() => expect(bodies('/v1/bids')).toEqual(first));
    platform.expired = true;
    platform.openAuction('ord_2', ['off_h100']);
    // Neither the bid that stands nor the one that was refused comes again.
    const all = [...first, { orderId: 'ord_2', offerId: 'off_h100', ...rate }];
    await eventually(() => expect(bodies('/v1/bids')).toEqual(all), { deadlineMs: 15_000 });
    expect(bodies('/v1/auth/login').length).toBeGreaterThanOrEqual(3);
  });

  it('leaves auctions alone where its owner does not say how to bid', async () => {
    platform.openAuction('ord_1', ['off_h100']);
    await connected(run(configOf()));
    await eventually(() => platform.heartbeats.length > 3);
    expect(bodies('/v1/auctions')).toEqual([]);
  });

  it('answers challenges, and comes back when the platform was away', async () => {
    const agent = run(configOf());
    await connected(agent);
    const asked = platform.challenge();
    await eventually(() => platform.answers.includes(asked));
    await platform.restartGrpc();
    await eventually(() => platform.hellos === 2, { deadlineMs: 15_000 });
    await connected(agent);
    expect(bodies('/v1/providers')).toHaveLength(1);
  });

  it('opens another stream when it hears nothing any more on one that looks alive', async () => {
    platform.silenceLimitMs = 500;
    const agent = run(configOf());
    await connected(agent);
    // Every heartbeat is answered: longer than the limit passes without harm.
    await eventually(() => platform.heartbeats.length > 20, { deadlineMs: 15_000 });
    expect(platform.hellos).toBe(1);
    platform.mute = true;
    await eventually(() => expect(agent.status.trouble).toContain('nothing was heard'));
    platform.mute = false;
    await eventually(() => platform.hellos === 2, { deadlineMs: 15_000 });
    await connected(agent);
  });

  it('tells machines it cannot see as not ready, also right after its own start', async () => {
    const stateFile = join(folder, 'unseen.json');
    const agent = run(configOf({ stateFile }));
    await connected(agent);
    await sim.faults.takeDown('refuse');
    const unseen = [
      { name: 'cpu-1', ready: false, cpuMillisAllocatable: 0 },
      { name: 'gpu-1', ready: false, gpuCapacity: 0 },
    ];
    await eventually(() => expect(platform.heartbeats.at(-1)!.nodes).toMatchObject(unseen));
    await agent.stop();
    platform.heartbeats.length = 0;
    await connected(run(configOf({ stateFile })));
    await eventually(() => expect(platform.heartbeats[0]!.nodes).toMatchObject(unseen));
    await sim.faults.bringUp();
    await eventually(
      () => expect(platform.heartbeats.at(-1)!.nodes[1]).toMatchObject({ ready: true, gpuAllocatable: 8 }),
      { deadlineMs: 10_000 },
    );
  });

  it('does not introduce itself twice, but does when it was forgotten', async () => {
    const stateFile = join(folder, 'known.json');
    const first = run(configOf({ stateFile }));
    await connected(first);
    await first.stop();
    platform.calls.length = 0;
    const second = run(configOf({ stateFile }));
    await connected(second);
    expect(platform.calls).toEqual([]);
    await second.stop();
    platform.knows = false;
    await connected(run(configOf({ stateFile })));
    expect(bodies('/v1/providers')).toHaveLength(1);
    expect(bodies('/v1/providers/prv_1/offers')).toHaveLength(2);
  });

  it('waits for whatever is away', async () => {
    await sim.faults.takeDown('refuse');
    await platform.stop();
    const agent = run(configOf());
    await eventually(() => agent.status.trouble?.includes('no answer from') === true);
    await platform.start();
    await eventually(() => agent.status.trouble?.includes('the cluster gave no inventory') === true, {
      deadlineMs: 10_000,
    });
    await sim.faults.bringUp();
    await connected(agent);
  });

  it('offers a machine that is new, and withdraws what it no longer offers', async () => {
    const agent = run(configOf());
    await connected(agent);
    platform.calls.length = 0;
    const url = new URL(sim.url);
    await sim.close();
    sim = await startKubeSim({
      port: Number(url.port),
      token: sim.token,
      nodes: [node('gpu-1'), node('gpu-2')],
    });
    await eventually(
      () => platform.calls.some(({ method, path }) => method === 'DELETE' && path.endsWith('/off_cpu')),
      { deadlineMs: 10_000 },
    );
    expect(bodies('/v1/providers/prv_1/offers')).toMatchObject([
      { label: 'h100', nodes: [{ name: 'gpu-1' }, { name: 'gpu-2' }] },
    ]);
  });
});
