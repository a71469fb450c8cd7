import { unavailable } from '@gridbourse/key-value';
import { eventually } from '@gridbourse/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Wallet } from 'ethers';
import { AgentWorld } from './agent-world.ts';
import { RegistryUnderTest } from './registry-under-test.ts';
import { healthyNode } from './test-agent.ts';

// Real here: two instances of the service, Postgres, the bus, HTTP and gRPC. Made up: the clock, and the key-value store in
// memory that both hold (libs/key-value shows that Redis does the same).

const INTERVAL_MS = 1_000;
const GRACE_MS = 6_000;

let registry: RegistryUnderTest;
let world: AgentWorld;
let second: { origin: string; close(): Promise<void> };

beforeAll(async () => {
  registry = await RegistryUnderTest.start({
    heartbeatIntervalMs: INTERVAL_MS,
    offlineGraceMs: GRACE_MS,
    challengeMeanIntervalMs: 3_600_000,
    maxOpenNonces: 40,
  });
  world = new AgentWorld(registry, INTERVAL_MS);
}, 60_000);
afterAll(() => registry.close());
beforeEach(() => {
  registry.clock.advance(600_000); // budgets are full again
});
afterEach(async () => {
  world.vanish();
  await second.close();
});

const loginAt = async (origin: string, message: string, signature: string): Promise<number> => {
  const answer = await fetch(`${origin}/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ message, signature }),
  });
  return answer.status;
};

describe('two instances of the registry', () => {
  it('take a nonce once between them, whoever gave it', async () => {
    second = await registry.startAnother();
    const wallet = Wallet.createRandom();
    const message = await registry.message(wallet);
    const signature = await wallet.signMessage(message);
    const answers = await Promise.all(
      [registry.origin, second.origin, registry.origin, second.origin].map((origin) =>
        loginAt(origin, message, signature),
      ),
    );
    expect(answers.sort()).toEqual([200, 401, 401, 401]);
  });

  it('hear of the providers whose agents are connected to the other', async () => {
    const provider = await world.onboard();
    const agent = await world.connected(provider);
    await agent.heartbeat([healthyNode('n1')]);
    await eventually(() => expect(registry.typesOf(provider.providerId).at(-1)).toBe('ProviderOnline'));
    second = await registry.startAnother(); // knows the provider, and has no stream of its agent
    await world.pass(12 * INTERVAL_MS, [agent]);
    expect(registry.typesOf(provider.providerId).at(-1)).toBe('ProviderOnline');
    agent.vanish();
    await world.until(provider.providerId, 'ProviderOffline');
  });

  it('judge nobody while they cannot hear each other', async () => {
    const provider = await world.onboard();
    const agent = await world.connected(provider);
    await agent.heartbeat([healthyNode('n1')]);
    await eventually(() => expect(registry.typesOf(provider.providerId).at(-1)).toBe('ProviderOnline'));
    second = await registry.startAnother();
    const { getLatest } = registry.keyValue;
    registry.keyValue.getLatest = () => Promise.reject(unavailable('away'));
    agent.vanish();
    await world.pass(20 * INTERVAL_MS);
    expect(registry.typesOf(provider.providerId).at(-1)).toBe('ProviderOnline');
    registry.keyValue.getLatest = getLatest;
    const backAtMs = registry.clock.now();
    await world.until(provider.providerId, 'ProviderUnreachable');
    const unreachable = registry.eventsOf(provider.providerId).at(-1) as unknown as { atMs: number };
    expect(unreachable.atMs - backAtMs).toBeGreaterThanOrEqual(2 * INTERVAL_MS); // the silence without sight is ours
  });
});

describe('nonces', () => {
  it('are given to so many, and no more for a while', async () => {
    second = await registry.startAnother();
    const ask = () => registry.call('POST', '/v1/auth/nonce');
    const answers = await Promise.all(Array.from({ length: 45 }, ask));
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(40);
    expect(answers.find((answer) => answer.status === 429)).toMatchObject({
      body: { code: 'too_many_sign_ins' },
    });
    registry.clock.advance(300_000);
    expect((await ask()).status).toBe(200);
  });

  it('are neither given nor taken while the store is away', async () => {
    second = await registry.startAnother();
    const wallet = Wallet.createRandom();
    const message = await registry.message(wallet);
    const { take, putOnce } = registry.keyValue;
    registry.keyValue.take = () => Promise.reject(unavailable('away'));
    registry.keyValue.putOnce = () => Promise.reject(unavailable('away'));
    const refused = await registry.login(message, await wallet.signMessage(message));
    expect(refused).toMatchObject({ status: 503, body: { code: 'key_value_unavailable' } });
    expect(refused.headers.get('retry-after')).toBe('1');
    expect((await registry.call('POST', '/v1/auth/nonce')).status).toBe(503);
    registry.keyValue.take = take;
    registry.keyValue.putOnce = putOnce;
    expect((await registry.login(message, await wallet.signMessage(message))).status).toBe(200);
  });
});
