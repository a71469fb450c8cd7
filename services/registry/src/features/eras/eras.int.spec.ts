import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { eventually } from '@gridbourse/testing';
import { Wallet } from 'ethers';
import { AgentWorld, type Onboarded } from '../../../test/agent-world.ts';
import { RegistryUnderTest } from '../../../test/registry-under-test.ts';
import { healthyNode, type TestAgent } from '../../../test/test-agent.ts';

// Real here: the service, Postgres, the bus, gRPC, signatures. Made up: the clock and the machines of the providers.

const INTERVAL_MS = 1_000;
const ERA_MS = 3_600_000;
let registry: RegistryUnderTest;
let agents: AgentWorld;

beforeAll(async () => {
  registry = await RegistryUnderTest.start({
    heartbeatIntervalMs: INTERVAL_MS,
    challengeMeanIntervalMs: 2_000,
    challengeTimeoutMs: 1_000,
    eraMs: ERA_MS,
    closeErasEveryMs: 50,
  });
  agents = new AgentWorld(registry, INTERVAL_MS);
});
afterAll(async () => {
  agents.vanish();
  await registry.close();
});

it('challenges measure uptime and response time; the era is closed once, with what it showed', async () => {
  const [good, silent, forging] = await Promise.all([agents.onboard(), agents.onboard(), agents.onboard()]);
  const living = await Promise.all([good, silent, forging].map((provider) => agents.connected(provider)));
  const [goodAgent, silentAgent, forgingAgent] = living as [TestAgent, TestAgent, TestAgent];
  silentAgent.answers = false;
  forgingAgent.answers = false;
  for (const agent of living) await agent.heartbeat([healthyNode('n1')]);
  const forged = new Set<string>();
  await eventually(
    async () => {
      await agents.pass(INTERVAL_MS, living);
      for (const challenge of forgingAgent.challenges) {
        if (forged.has(challenge.challengeId)) continue;
        forged.add(challenge.challengeId);
        await forgingAgent.answer(challenge, Wallet.createRandom());
      }
      return living.every((agent) => agent.challenges.length >= 5);
    },
    { deadlineMs: 30_000 },
  );
  expect(forgingAgent.refusals).toContain('invalid_answer');
  expect(goodAgent.challenges.some((challenge) => challenge.kind === 'gpu')).toBe(true);
  await agents.pass(3_000, living);

  const results = (provider: Onboarded) =>
    registry.eventsOf(provider.providerId).filter((event) => event.type === 'EraClosed') as unknown as {
      era: number;
      challengesSent: number;
      challengesAnswered: number;
      responseP95Ms: number | null;
    }[];
  const era = Math.floor(registry.clock.now() / ERA_MS);
  // To the next era in steps short enough not to look like a sleep of the service would take an hour: let it be one.
  registry.clock.advance(ERA_MS);
  await eventually(
    () => [good, silent, forging].every((provider) => results(provider).some((r) => r.era === era)),
    {
      deadlineMs: 15_000,
    },
  );
  const of = (provider: Onboarded) => results(provider).find((result) => result.era === era)!;
  expect(of(good).challengesSent).toBeGreaterThanOrEqual(5);
  expect(of(good).challengesAnswered).toBeGreaterThanOrEqual(of(good).challengesSent - 1);
  expect(of(good).responseP95Ms).toBeLessThanOrEqual(1_000);
  expect(of(silent)).toMatchObject({ challengesAnswered: 0, responseP95Ms: null });
  expect(of(silent).challengesSent).toBeGreaterThanOrEqual(3);
  expect(of(forging)).toMatchObject({ challengesAnswered: 0, responseP95Ms: null });
  const eras = results(good).map((result) => result.era);
  expect(new Set(eras).size).toBe(eras.length);
}, 60_000);
