import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { registryV1 } from '@gridbourse/proto';
import { eventually } from '@gridbourse/testing';
import { Wallet } from 'ethers';
import { AgentWorld, type Onboarded } from '../../../test/agent-world.ts';
import { offerBody, RegistryUnderTest } from '../../../test/registry-under-test.ts';
import { healthyNode, type TestAgent } from '../../../test/test-agent.ts';

// Real here: the service, Postgres, the bus, gRPC, signatures. Made up: the clock and the machines of the providers.

type Provider = { lastSeenAt: string | null };

const INTERVAL_MS = 1_000;
const GRACE_MS = 10_000;
const operator = Wallet.createRandom();
let registry: RegistryUnderTest;
let agents: AgentWorld;

const onboard = (): Promise<Onboarded> => agents.onboard();
const agentOf = (provider: Onboarded): TestAgent => agents.agentOf(provider);
const connected = (provider: Onboarded): Promise<TestAgent> => agents.connected(provider);
const stateOf = (providerId: string): Promise<string> => agents.stateOf(providerId);
const pass = (milliseconds: number, living: TestAgent[] = []): Promise<void> =>
  agents.pass(milliseconds, living);
const until = (providerId: string, type: string, living: TestAgent[] = []): Promise<unknown> =>
  agents.until(providerId, type, living);

beforeAll(async () => {
  registry = await RegistryUnderTest.start({
    heartbeatIntervalMs: INTERVAL_MS,
    offlineGraceMs: GRACE_MS,
    gpuSettleMs: 5_000,
    operatorWallets: [operator.address.toLowerCase()],
    massDarknessCount: 2,
    massDarknessShare: 0.4,
  });
  agents = new AgentWorld(registry, INTERVAL_MS);
});
afterAll(() => registry.close());
afterEach(() => agents.vanish());

describe('the life of a provider', () => {
  it('is online with the first heartbeat, unreachable after three missed, offline after the grace, and online again', async () => {
    const provider = await onboard();
    const { providerId } = provider;
    const agent = await connected(provider);
    expect(await stateOf(providerId)).toBe('registered');
    await agent.heartbeat([healthyNode('n1')]);
    await eventually(async () => expect(await stateOf(providerId)).toBe('active'));
    await pass(5_000, [agent]);
    expect(await stateOf(providerId)).toBe('active');
    const { body } = await registry.call<Provider>('GET', `/v1/providers/${providerId}`);
    expect(Date.parse(body.lastSeenAt!)).toBe(registry.clock.now());

    const lastSeenAtMs = registry.clock.now();
    agent.vanish();
    await until(providerId, 'ProviderUnreachable');
    const unreachable = registry.eventsOf(providerId).at(-1) as unknown as {
      lastSeenAtMs: number;
      atMs: number;
    };
    expect(unreachable.lastSeenAtMs).toBe(lastSeenAtMs);
    expect(unreachable.atMs - lastSeenAtMs).toBeGreaterThanOrEqual(3 * INTERVAL_MS);
    expect(unreachable.atMs - lastSeenAtMs).toBeLessThan(5 * INTERVAL_MS);
    await until(providerId, 'ProviderOffline');
    const offline = registry.eventsOf(providerId).at(-1) as unknown as { atMs: number };
    expect(offline.atMs - lastSeenAtMs).toBeGreaterThanOrEqual(3 * INTERVAL_MS + GRACE_MS);

    const back = await connected(provider);
    await back.heartbeat([healthyNode('n1')]);
    await eventually(async () => expect(await stateOf(providerId)).toBe('active'));
    await eventually(() =>
      expect(registry.typesOf(providerId)).toEqual([
        'ProviderRegistered',
        'ProviderActivated',
        'ProviderOnline',
        'ProviderUnreachable',
        'ProviderOffline',
        'ProviderOnline',
      ]),
    );
  });

  it('a restart of the registry counts against nobody: everybody gets a fresh time to show up', async () => {
    const provider = await onboard();
    const agent = await connected(provider);
    await agent.heartbeat([healthyNode('n1')]);
    await eventually(() => expect(registry.typesOf(provider.providerId).at(-1)).toBe('ProviderOnline'));
    await registry.stopService();
    await eventually(() => agent.ended);
    expect(agent.refusals).toContain('shutting_down');
    registry.clock.advance(3_600_000);
    await registry.startService();
    await pass(2_000);
    expect(registry.typesOf(provider.providerId).at(-1)).toBe('ProviderOnline');
    const again = await connected(provider);
    await pass(5_000, [again]);
    expect(registry.typesOf(provider.providerId).at(-1)).toBe('ProviderOnline');
    expect(await stateOf(provider.providerId)).toBe('active');
    again.vanish();
    await until(provider.providerId, 'ProviderOffline');
  });

  it('many that go dark at once are our outage: unreachable, but not offline before the sight is back', async () => {
    const many = await Promise.all([onboard(), onboard(), onboard(), onboard()]);
    const living = await Promise.all(many.map((provider) => connected(provider)));
    for (const agent of living) await agent.heartbeat([healthyNode('n1')]);
    await eventually(() =>
      many.every(({ providerId }) => registry.typesOf(providerId).at(-1) === 'ProviderOnline'),
    );
    for (const agent of living) agent.vanish();
    await until(many[0].providerId, 'ProviderUnreachable');
    await pass(GRACE_MS * 2);
    for (const { providerId } of many)
      expect(registry.typesOf(providerId).at(-1)).toBe('ProviderUnreachable');
    // Three come back; the fourth is then alone, and gets the whole time once more.
    const back = await Promise.all(many.slice(1).map((provider) => connected(provider)));
    const thawedAtMs = registry.clock.now();
    await until(many[0].providerId, 'ProviderOffline', back);
    const offline = registry.eventsOf(many[0].providerId).at(-1) as unknown as { atMs: number };
    expect(offline.atMs - thawedAtMs).toBeGreaterThanOrEqual(GRACE_MS);
    for (const { providerId } of many.slice(1))
      expect(registry.typesOf(providerId).at(-1)).toBe('ProviderOnline');
  });
});

describe('an operator', () => {
  it('may say that an unreachable provider is gone, also while everything is frozen', async () => {
    const many = await Promise.all([onboard(), onboard(), onboard(), onboard()]);
    const living = await Promise.all(many.map((provider) => connected(provider)));
    for (const agent of living) await agent.heartbeat([healthyNode('n1')]);
    const [gone, ...others] = many as [Onboarded, ...Onboarded[]];
    await eventually(() =>
      many.every(({ providerId }) => registry.typesOf(providerId).at(-1) === 'ProviderOnline'),
    );
    const boss = await registry.signIn(operator);
    const giveUp = (token: string) =>
      registry.call('POST', `/v1/providers/${gone.providerId}/give-up`, { token });
    expect(await giveUp(boss.token)).toMatchObject({
      status: 409,
      body: { code: 'provider_not_unreachable' },
    });
    for (const agent of living) agent.vanish();
    await until(gone.providerId, 'ProviderUnreachable');
    await pass(GRACE_MS * 2);
    expect(await giveUp(gone.token)).toMatchObject({ status: 403 });
    expect(await giveUp((await registry.signIn(operator)).token)).toMatchObject({
      status: 200,
      body: { state: 'offline' },
    });
    for (const { providerId } of others)
      expect(registry.typesOf(providerId).at(-1)).toBe('ProviderUnreachable');
  });
});

describe('what an agent says', () => {
  const refused = async (
    code: string,
    say: (agent: TestAgent, provider: Onboarded) => Promise<void>,
  ): Promise<TestAgent> => {
    const provider = await onboard();
    const agent = agentOf(provider);
    await say(agent, provider);
    await eventually(() => expect(agent.refusals).toContain(code));
    expect(registry.typesOf(provider.providerId)).not.toContain('ProviderOnline');
    return agent;
  };

  it.each<[string, string, (agent: TestAgent, provider: Onboarded) => Promise<void>]>([
    ['a heartbeat before Hello', 'hello_expected', (agent) => agent.heartbeat([healthyNode('n1')])],
    [
      'a Hello of another wallet',
      'invalid_signature',
      (agent) => agent.hello({ signer: Wallet.createRandom() }),
    ],
    ['an old Hello', 'stale_hello', (agent) => agent.hello({ issuedAtMs: registry.clock.now() - 31_000 })],
    [
      'a Hello of the future',
      'stale_hello',
      (agent) => agent.hello({ issuedAtMs: registry.clock.now() + 31_000 }),
    ],
    [
      'a Hello for a provider that is not there',
      'unknown_provider',
      (agent) => agent.hello({ providerId: 'prv_00000000000000000000000000' }),
    ],
    [
      'a heartbeat of another wallet',
      'invalid_signature',
      async (agent) => {
        await agent.hello();
        await agent.heartbeat([healthyNode('n1')], { signer: Wallet.createRandom() });
      },
    ],
    [
      'machines that were not signed for',
      'invalid_signature',
      async (agent) => {
        await agent.hello();
        await agent.heartbeat([healthyNode('n1', { gpuAllocatable: 1 })], { sentNodes: [healthyNode('n1')] });
      },
    ],
    [
      'a heartbeat out of its place',
      'sequence_broken',
      async (agent) => {
        await agent.hello();
        await agent.heartbeat([healthyNode('n1')], { sequence: 2 });
      },
    ],
  ])('%s is refused, and ends the stream', async (_, code, say) => {
    const agent = await refused(code, say);
    await eventually(() => agent.ended);
  });

  it('is answered: each heartbeat that counts, so that silence means that nobody listens', async () => {
    const agent = await connected(await onboard());
    const { heartbeatIntervalMs, silenceLimitMs } = agent.received[0]!.welcome!;
    expect(silenceLimitMs).toBe(3 * heartbeatIntervalMs);
    await agent.heartbeat([healthyNode('n1')]);
    await agent.heartbeat([healthyNode('n1', { gpuAllocatable: 9 })]);
    await agent.heartbeat([healthyNode('n1')]);
    const answers = (): string[] =>
      agent.received.flatMap((message) => message.heartbeatTaken?.sequence ?? message.refusal?.code ?? []);
    await eventually(() => expect(answers().at(-2)).toBe('impossible_inventory'));
    const [before, , after] = answers().slice(-3);
    expect(Number(after)).toBe(Number(before) + 2);
  });

  it('a Hello is good once', async () => {
    const provider = await onboard();
    const issuedAtMs = registry.clock.now();
    const first = agentOf(provider);
    await first.hello({ issuedAtMs });
    await eventually(() => first.welcomed);
    const copy = agentOf(provider);
    await copy.hello({ issuedAtMs });
    await eventually(() => expect(copy.refusals).toEqual(['replayed_hello']));
    expect(first.ended).toBe(false);
  });

  it('a newer agent takes the place of an older one', async () => {
    const provider = await onboard();
    const first = await connected(provider);
    registry.clock.advance(1);
    await connected(provider);
    await eventually(() => first.ended);
    expect(first.refusals).toEqual(['superseded']);
  });

  it('an impossible inventory, or an old heartbeat, is left out with a reason; the stream goes on', async () => {
    const impossible = await refused('impossible_inventory', async (agent) => {
      await agent.hello();
      await agent.heartbeat([healthyNode('n1', { gpuAllocatable: 9 })]);
    });
    const reason = impossible.received.find((message) => message.refusal)?.refusal?.message;
    expect(reason).toContain('/nodes/0/gpuAllocatable');
    expect(impossible.ended).toBe(false);
    await refused('impossible_inventory', async (agent) => {
      await agent.hello();
      await agent.heartbeat([
        healthyNode('n1', { gpuCapacity: 4_294_967_295, gpuAllocatable: 4_294_967_295 }),
      ]);
    });
    await refused('stale_heartbeat', async (agent) => {
      await agent.hello();
      await agent.heartbeat([healthyNode('n1')], { sentAtMs: registry.clock.now() - 31_000 });
    });
  });

  it('a flood ends the stream', async () => {
    const agent = await connected(await onboard());
    for (let n = 0; n < 100; n += 1) agent.send({ answer: { challengeId: 'none', signature: '0x' } });
    await eventually(() => expect(agent.refusals).toContain('too_many_messages'));
  });

  it('may be signed without the field that agents of before do not know', async () => {
    const provider = await onboard();
    const agent = await connected(provider);
    const { gpuSharing, ...before } = healthyNode('n1');
    expect(gpuSharing).toBe('');
    await agent.heartbeat([before as registryV1.NodeInventory], { sentNodes: [healthyNode('n1')] });
    await eventually(() => expect(registry.typesOf(provider.providerId)).toContain('ProviderOnline'));
    const forged = await connected(await onboard());
    await forged.heartbeat([before as registryV1.NodeInventory], {
      sentNodes: [healthyNode('n1', { gpuSharing: 'whole' })],
    });
    await eventually(() => expect(forged.refusals).toContain('invalid_signature'));
  });

  it('may be signed with 64-bit fields as numbers', async () => {
    const provider = await onboard();
    const agent = await connected(provider);
    await agent.heartbeat([healthyNode('n1')], { numbers: true });
    await eventually(() => expect(registry.typesOf(provider.providerId)).toContain('ProviderOnline'));
  });
});

describe('offers', () => {
  const offersOf = (providerId: string): { revision: number; gpus: number[] }[] =>
    registry
      .eventsOf(providerId)
      .filter((event) => event.type === 'OfferPublished')
      .map((event) => ({
        revision: event['revision'] as number,
        gpus: (event['nodes'] as { gpus: number }[]).map((node) => node.gpus),
      }));

  it('sell nothing of a machine that divides its GPUs otherwise than they say', async () => {
    const provider = await onboard();
    const { providerId, token } = provider;
    await registry.call('POST', `/v1/providers/${providerId}/offers`, { token, body: offerBody() });
    const agent = await connected(provider);
    await agent.heartbeat([healthyNode('n1', { gpuSharing: 'shared:4' }), healthyNode('n2')]);
    await eventually(() => expect(offersOf(providerId).at(-1)).toEqual({ revision: 2, gpus: [0, 8] }));
    await agent.heartbeat([
      healthyNode('n1'),
      healthyNode('n2', { gpuModel: 'NVIDIA-H100-80GB-HBM3-MIG-1g.10gb' }),
    ]);
    await eventually(() => expect(offersOf(providerId).at(-1)).toEqual({ revision: 3, gpus: [8, 0] }));
  });

  it('shrink with the machines at once, wait for GPUs that are not known yet, and grow back', async () => {
    const provider = await onboard();
    const { providerId, token } = provider;
    await registry.call('POST', `/v1/providers/${providerId}/offers`, { token, body: offerBody() });
    const say = async (agent: TestAgent, ...nodes: registryV1.NodeInventory[]): Promise<void> => {
      registry.clock.advance(100);
      await agent.heartbeat(nodes);
    };
    const agent = await connected(provider);
    await say(agent, healthyNode('n1', { gpuAllocatable: 0 }), healthyNode('n2'));
    await say(agent, healthyNode('n1'), healthyNode('n2', { gpuAllocatable: 6 }));
    await eventually(() => expect(offersOf(providerId).at(-1)).toEqual({ revision: 2, gpus: [8, 6] }));
    await say(agent, healthyNode('n1', { ready: false }), healthyNode('n2', { gpuAllocatable: 6 }));
    await eventually(() => expect(offersOf(providerId).at(-1)).toEqual({ revision: 3, gpus: [0, 6] }));
    await say(agent, healthyNode('n1'), healthyNode('n2'));
    await eventually(() => expect(offersOf(providerId).at(-1)).toEqual({ revision: 4, gpus: [8, 8] }));

    // The agent comes back and the device plugin is not up yet: nothing is concluded until it had its time.
    agent.vanish();
    registry.clock.advance(100);
    const again = await connected(provider);
    await say(again, healthyNode('n1', { gpuAllocatable: 0 }), healthyNode('n2'));
    await pass(4_000);
    await say(again, healthyNode('n1', { gpuAllocatable: 0 }), healthyNode('n2'));
    await say(again, healthyNode('n1'), healthyNode('n2', { gpuAllocatable: 7 }));
    await eventually(() => expect(offersOf(providerId).at(-1)).toEqual({ revision: 5, gpus: [8, 7] }));
    await pass(2_000);
    await say(again, healthyNode('n1', { gpuAllocatable: 0 }), healthyNode('n2'));
    await eventually(() => expect(offersOf(providerId).at(-1)).toEqual({ revision: 6, gpus: [0, 8] }));
    expect(offersOf(providerId).map((offer) => offer.revision)).toEqual([1, 2, 3, 4, 5, 6]);
  });
});
