import type { ChainEventObserved, DomainEvent, ProviderEvent } from '@gridbourse/events';
import { type LeaseId, ManualClock } from '@gridbourse/kernel';
import { eventually } from '@gridbourse/testing';
import { expect } from '@jest/globals';
import { leaseReference } from '../src/adapters/lease-reference.ts';
import type { LeaseDto, OrderDto } from '../src/features/orders/order.dto.ts';
import { idOf, NOON, offerPublished, readyProvider } from './builders.ts';
import { expectStatus, person, RunningMatchmaker } from './running-matchmaker.ts';

export const tenant = person('tenant');
export const stranger = person('stranger');
/** Owns the provider `beta`. */
export const owner = person('owner of the machines');
const HASH = `0x${'ab'.repeat(32)}` as const;

/**
 * A running matchmaker with a small market (`alpha`: four RTX 4090, accepts by policy; `beta`: four H100, asks its owner)
 * and the lines that the other services say.
 */
export class Stage {
  private chainSerial = 0;

  private constructor(
    readonly running: RunningMatchmaker,
    readonly clock: ManualClock,
  ) {}

  static async open(): Promise<Stage> {
    const clock = new ManualClock(NOON);
    const stage = new Stage(await RunningMatchmaker.start({ clock }), clock);
    await stage.running.admit(tenant, stranger, owner);
    await stage.market('alpha', [
      ...readyProvider('alpha'),
      offerPublished('alpha', 'alpha-4090', { nodes: [{ gpus: 4 }] }),
    ]);
    await stage.market('beta', [
      ...readyProvider('beta', { accountId: owner.accountId }),
      offerPublished('beta', 'beta-h100', { model: 'h100', vramGiB: 80, perGpu: '2.00', autoAccept: false }),
    ]);
    await eventually(() => expect([...stage.running.matchmaker.exchange.market.offers()]).toHaveLength(2));
    return stage;
  }

  close(): Promise<void> {
    return this.running.stop();
  }

  market(name: string, events: readonly ProviderEvent[]): Promise<void> {
    return this.running.say(idOf('provider', name), ...events);
  }

  freeOf(offer: string): number {
    const { market, book } = this.running.matchmaker.exchange;
    return book.usage(market.offer(idOf('offer', offer))!).free.gpus;
  }

  async submit(body: object, headers: Record<string, string> = {}): Promise<OrderDto> {
    const answer = await this.running.post<OrderDto>(tenant, '/v1/orders', body, headers);
    expectStatus(answer, 201);
    return answer.body;
  }

  async order(orderId: string): Promise<OrderDto> {
    return (await this.running.get<OrderDto>(tenant, `/v1/orders/${orderId}`)).body;
  }

  async lease(leaseId: string): Promise<LeaseDto> {
    return (await this.running.get<LeaseDto>(tenant, `/v1/leases/${leaseId}`)).body;
  }

  leaseBecomes(leaseId: string, state: string): Promise<unknown> {
    return eventually(async () => expect((await this.lease(leaseId)).state).toBe(state));
  }

  /** The chain opens the newest lease of the order, on the terms that were agreed. */
  async fund(orderId: string): Promise<LeaseDto> {
    const terms = (await this.order(orderId)).leases.at(-1)!;
    await this.running.say('ComputeMarket', this.opened(terms));
    await this.leaseBecomes(terms.leaseId, 'funded');
    return this.lease(terms.leaseId);
  }

  private opened(terms: LeaseDto): ChainEventObserved {
    this.chainSerial += 1;
    const leaseId = terms.leaseId as LeaseId;
    return {
      type: 'ChainEventObserved',
      contract: 'ComputeMarket',
      chainId: 31_337,
      blockNumber: this.chainSerial,
      blockHash: HASH,
      logIndex: 0,
      txHash: HASH,
      blockTimeMs: this.clock.now(),
      seenAtMs: this.clock.now(),
      log: {
        name: 'LeaseOpened',
        leaseKey: `0x${String(this.chainSerial).padStart(24, '0')}`,
        leaseRef: leaseReference(leaseId),
        tenant: tenant.wallet,
        chainProviderId: this.running.matchmaker.exchange.lease(leaseId)!.chainProviderId,
        rateMicrosPerHour: BigInt(terms.rate.micros),
        lockMicros: BigInt(terms.lock.micros),
        openedAtSeconds: Math.floor(this.clock.now() / 1_000),
      },
    };
  }

  /** The orchestrator says this of the lease's workload. */
  workload(leaseId: string, ...events: object[]): Promise<void> {
    return this.running.say(
      leaseId,
      ...events.map((event) => ({ leaseId, atMs: this.clock.now(), ...event }) as unknown as DomainEvent),
    );
  }

  /** The chain opens every lease that the order has now. */
  async fundAll(orderId: string): Promise<LeaseDto[]> {
    const { leases } = await this.order(orderId);
    for (const terms of leases) {
      if (terms.state !== 'accepted') continue;
      await this.running.say('ComputeMarket', this.opened(terms));
      await this.leaseBecomes(terms.leaseId, 'funded');
    }
    return (await this.order(orderId)).leases;
  }

  /** Funds the order's newest lease and starts it. */
  async run(orderId: string): Promise<LeaseDto> {
    const { leaseId } = await this.fund(orderId);
    await this.workload(leaseId, {
      type: 'WorkloadRunning',
      runningSinceMs: this.clock.now(),
      endpoints: [],
    });
    await this.leaseBecomes(leaseId, 'active');
    return this.lease(leaseId);
  }

  /** Meter closed, namespace gone, settled on chain. */
  async finish(leaseId: string): Promise<void> {
    await this.workload(
      leaseId,
      { type: 'MeterClosed', totalSeconds: 10 },
      { type: 'WorkloadTerminated', provenAbsentAtMs: this.clock.now(), everCreated: true },
    );
    const settled = {
      leaseId,
      paidMicros: 1_000n,
      refundedMicros: 2_000n,
      txHash: HASH,
      atMs: this.clock.now(),
    };
    await this.running.say(leaseId, { type: 'LeaseSettled', ...settled });
    await eventually(async () =>
      expect(await this.lease(leaseId)).toMatchObject({ state: 'closed', capacityReleased: true }),
    );
  }
}
