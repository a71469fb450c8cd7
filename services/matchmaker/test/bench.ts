import type { BillingEvent, ChainLog, ProviderEvent } from '@gridbourse/events';
import type { LeaseId, OrderId, ProviderId } from '@gridbourse/kernel';
import { type AnyLeaseEvent, evolveLease, type Lease } from '../src/domain/lease.ts';
import { type AnyOrderEvent, evolveOrder, type Order } from '../src/domain/order.ts';
import { Exchange } from '../src/domain/process/exchange.ts';
import { meetDeadlines } from '../src/domain/process/deadlines.ts';
import { hearOfFundingFailure, hearOfOpening, hearOfSettlement } from '../src/domain/process/money.ts';
import { hearOfProvider } from '../src/domain/process/provider.ts';
import { rematch } from '../src/domain/process/rematch.ts';
import { submitOrder, type Submission } from '../src/domain/process/tenant.ts';
import {
  hearOfExit,
  hearOfFailure,
  hearOfRunning,
  hearOfTermination,
} from '../src/domain/process/workload.ts';
import { decide, type Emitted, type UnitOfWork } from '../src/domain/process/unit-of-work.ts';
import { circumstancesFrom, idOf, refOf, TENANT_WALLET } from './builders.ts';

type LeaseOpened = Extract<ChainLog, { name: 'LeaseOpened' }>;
type FundingFailed = Extract<BillingEvent, { type: 'LeaseFundingFailed' }>;

/** The whole domain on a bench: an exchange, a clock that is set by hand, and everything that was decided so far. */
export class Bench {
  readonly exchange = new Exchange(refOf);
  readonly circumstances = circumstancesFrom();
  readonly log: Emitted[] = [];
  readonly registryLog: { event: ProviderEvent; sequence: number }[] = [];
  private readonly foldedOrders = new Map<OrderId, Order>();
  private readonly foldedLeases = new Map<LeaseId, Lease>();
  private readonly sequences = new Map<ProviderId, number>();

  run<R>(work: (unit: UnitOfWork) => R): R {
    const { result, outcome } = decide(this.exchange, this.circumstances, work);
    for (const emitted of outcome.emitted) this.note(emitted);
    return result;
  }

  market(...events: ProviderEvent[]): this {
    for (const event of events) {
      const sequence = (this.sequences.get(event.providerId) ?? 0) + 1;
      this.sequences.set(event.providerId, sequence);
      this.registryLog.push({ event, sequence });
      this.run((unit) => hearOfProvider(unit, event, sequence));
    }
    return this;
  }

  submit(submission: Submission): Order {
    return this.run((unit) => submitOrder(unit, submission));
  }

  rematch(): void {
    while (this.exchange.rematchPending) this.run(rematch);
  }

  pass(milliseconds: number): this {
    this.circumstances.now += milliseconds;
    this.run(meetDeadlines);
    return this;
  }

  /** The log with which the chain opens a lease on the terms that were agreed. */
  opening(leaseId: LeaseId): LeaseOpened {
    const lease = this.lease(leaseId);
    return {
      name: 'LeaseOpened',
      leaseKey: `0x${leaseId.slice(-24)}`,
      leaseRef: refOf(leaseId),
      tenant: TENANT_WALLET,
      chainProviderId: lease.chainProviderId,
      rateMicrosPerHour: lease.rateMicrosPerHour,
      lockMicros: lease.lockMicros,
      openedAtSeconds: Math.floor(this.circumstances.now / 1_000),
    };
  }

  fund(leaseId: LeaseId, options: { leaseKey?: string } = {}): ReturnType<typeof hearOfOpening> {
    return this.run((unit) => hearOfOpening(unit, { ...this.opening(leaseId), ...options }));
  }

  /** Billing could not lock the money: for want of escrow, unless it is said. */
  refuseFunding(leaseId: LeaseId, why: Partial<FundingFailed> = {}): void {
    this.run((unit) =>
      hearOfFundingFailure(unit, {
        type: 'LeaseFundingFailed',
        leaseId,
        cause: 'insufficient_escrow',
        detail: '',
        shortfallMicros: 1n,
        atMs: this.circumstances.now,
        ...why,
      }),
    );
  }

  start(leaseId: LeaseId): void {
    this.run((unit) =>
      hearOfRunning(unit, {
        type: 'WorkloadRunning',
        leaseId,
        runningSinceMs: this.circumstances.now,
        endpoints: [],
        atMs: this.circumstances.now,
      }),
    );
  }

  exit(leaseId: LeaseId, exitCode = 0): void {
    const atMs = this.circumstances.now;
    this.run((unit) =>
      hearOfExit(unit, { type: 'WorkloadExited', leaseId, exitCode, finishedAtMs: atMs, atMs }),
    );
  }

  /** It never came up, or failed later. */
  fail(leaseId: LeaseId, phase: 'start' | 'run', cause: 'crash_loop' | 'image_pull' = 'crash_loop'): void {
    const atMs = this.circumstances.now;
    this.run((unit) =>
      hearOfFailure(unit, { type: 'WorkloadFailed', leaseId, phase, cause, message: 'as told', atMs }),
    );
  }

  settle(leaseId: LeaseId, paidMicros = 1n, refundedMicros = 1n): void {
    this.run((unit) =>
      hearOfSettlement(unit, {
        type: 'LeaseSettled',
        leaseId,
        paidMicros,
        refundedMicros,
        txHash: `0x${'0'.repeat(64)}`,
        atMs: this.circumstances.now,
      }),
    );
  }

  terminate(leaseId: LeaseId): void {
    this.run((unit) =>
      hearOfTermination(unit, {
        type: 'WorkloadTerminated',
        leaseId,
        provenAbsentAtMs: this.circumstances.now,
        everCreated: true,
      }),
    );
  }

  /** The provider is seen no more, for a while or for so long that it counts as gone. */
  silence(provider: string, type: 'ProviderUnreachable' | 'ProviderOffline'): this {
    const atMs = this.circumstances.now;
    return this.market({ type, providerId: idOf('provider', provider), lastSeenAtMs: atMs, atMs });
  }

  private note(emitted: Emitted): void {
    const { event, orderId, leaseId } = emitted;
    this.log.push(emitted);
    if (leaseId === null) {
      this.foldedOrders.set(
        orderId,
        evolveOrder(this.foldedOrders.get(orderId) ?? null, event as AnyOrderEvent),
      );
    } else {
      this.foldedLeases.set(
        leaseId,
        evolveLease(this.foldedLeases.get(leaseId) ?? null, event as AnyLeaseEvent),
      );
    }
  }

  /** As the events tell it, over or not. */
  order(orderId: OrderId): Order {
    return this.foldedOrders.get(orderId)!;
  }

  lease(leaseId: LeaseId): Lease {
    return this.foldedLeases.get(leaseId)!;
  }

  leases(): Lease[] {
    return [...this.foldedLeases.values()];
  }

  /** GPUs that nobody holds, of one offer or of all. */
  freeGpus(word?: string): number {
    const { book, market } = this.exchange;
    const offers = word === undefined ? [...market.offers()] : [market.offer(idOf('offer', word))!];
    return offers.reduce((sum, offer) => sum + book.usage(offer).free.gpus, 0);
  }

  /** Event types since a mark, for reading a story in a test. */
  story(from = 0): string[] {
    return this.log.slice(from).map(({ event }) => event.type);
  }
}
