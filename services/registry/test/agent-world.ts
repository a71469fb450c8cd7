import { eventually } from '@gridbourse/testing';
import type { RegistryUnderTest, SignedIn } from './registry-under-test.ts';
import { healthyNode, TestAgent } from './test-agent.ts';

export type Onboarded = SignedIn & { providerId: string };

/** Providers with stake, their agents, and time that passes for all of them. */
export class AgentWorld {
  private readonly agents: TestAgent[] = [];
  private stakes = 0;

  constructor(
    private readonly registry: RegistryUnderTest,
    private readonly intervalMs: number,
  ) {}

  /** A registered provider with enough at stake. */
  async onboard(): Promise<Onboarded> {
    const onboarded = await this.registry.onboard();
    this.stakes += 1;
    const log = {
      name: 'StakeChanged',
      chainProviderId: this.stakes,
      owner: onboarded.wallet.address.toLowerCase(),
      stakeMicros: '1000000',
    };
    await this.registry.chainEvent('ChainEventObserved', log, this.stakes);
    await eventually(() => this.registry.typesOf(onboarded.providerId).includes('ProviderActivated'));
    return onboarded;
  }

  agentOf(provider: Onboarded): TestAgent {
    const { grpcTarget, clock } = this.registry;
    const agent = new TestAgent(grpcTarget, provider.providerId, provider.wallet, () => clock.now());
    this.agents.push(agent);
    return agent;
  }

  async connected(provider: Onboarded): Promise<TestAgent> {
    const agent = this.agentOf(provider);
    await agent.hello();
    await eventually(() => agent.welcomed);
    return agent;
  }

  async stateOf(providerId: string): Promise<string> {
    return (await this.registry.call<{ state: string }>('GET', `/v1/providers/${providerId}`)).body.state;
  }

  /** Lets time pass in steps that a running service would see, with a heartbeat of each living agent in every step. */
  async pass(milliseconds: number, living: readonly TestAgent[] = []): Promise<void> {
    for (let passed = 0; passed < milliseconds; passed += this.intervalMs / 2) {
      this.registry.clock.advance(this.intervalMs / 2);
      for (const agent of living) await agent.heartbeat([healthyNode('n1')]);
      // One turn of the watch for each step, or it would take the steps for a sleep of its own.
      await eventually(() => this.registry.watchedAtMs >= this.registry.clock.now(), {
        deadlineMs: 20_000,
        everyMs: 2,
      });
    }
  }

  /** Lets time pass until this was the last that was published about the provider. */
  until(providerId: string, type: string, living: readonly TestAgent[] = []): Promise<unknown> {
    return eventually(
      async () => {
        if (this.registry.typesOf(providerId).at(-1) === type) return true;
        await this.pass(this.intervalMs / 2, living);
        return false;
      },
      { deadlineMs: 60_000 },
    );
  }

  /** Every agent loses its power. */
  vanish(): void {
    for (const agent of this.agents.splice(0)) agent.vanish();
  }
}
