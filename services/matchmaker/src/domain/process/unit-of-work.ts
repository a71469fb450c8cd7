import type { Instant, LeaseId, OrderId } from '@gridbourse/kernel';
import type { BidLimits } from '../auction.ts';
import { type AnyLeaseEvent, decideLease, evolveLease, type Lease, type LeaseCommand } from '../lease.ts';
import { type AnyOrderEvent, decideOrder, evolveOrder, type Order, type OrderCommand } from '../order.ts';
import type { Exchange } from './exchange.ts';

/** The platform's own limits and deadlines. */
export type Policies = BidLimits & {
  /** A provider without a standing policy has so long to answer. */
  readonly acceptWithinMs: number;
  /** An accepted lease has so long to be funded on chain. */
  readonly fundWithinMs: number;
  /** A lease whose funding was undone by the chain has so long to be funded again. */
  readonly refundWithinMs: number;
  /** The first try after money was missing; doubled each time, up to ten minutes. */
  readonly fundingRetryMs: number;
  /** Not ended, for each account. */
  readonly maxOpenOrders: number;
  /** Alive, for each account. */
  readonly maxOpenLeases: number;
  /** Waiting orders tried in one decision. */
  readonly rematchAtOnce: number;
  /** A provider stands by its bid for so long after the window has closed. */
  readonly bidValidMs: number;
};

/** Time and new ids arrive from outside; the same ones give the same decision. */
export type Circumstances = {
  readonly now: Instant;
  readonly newLeaseId: () => LeaseId;
  readonly policies: Policies;
};

export type MatchmakerEvent = AnyOrderEvent | AnyLeaseEvent;

export type Emitted = {
  readonly orderId: OrderId;
  readonly leaseId: LeaseId | null;
  readonly event: MatchmakerEvent;
};

export type StreamAppend = {
  readonly streamId: string;
  readonly expectedVersion: number;
  readonly events: MatchmakerEvent[];
  /** Of each event its place in what the decision emitted, from 0. */
  readonly places: number[];
};

/** What one decision did. */
export type Outcome = {
  readonly appends: readonly StreamAppend[];
  readonly emitted: readonly Emitted[];
  /** As they are now, each once. */
  readonly orders: readonly Order[];
  readonly leases: readonly Lease[];
  /** Orders that are over with all their leases: history from here on. */
  readonly retired: readonly OrderId[];
};

/**
 * One decision: commands to orders and leases, each taking effect in the exchange at once, so that the next sees it.
 * All of it is committed together, or undone together.
 */
export class UnitOfWork {
  private readonly emitted: Emitted[] = [];
  private readonly appends = new Map<string, StreamAppend>();
  private readonly undo: (() => void)[] = [];
  private readonly touchedOrders = new Map<OrderId, Order>();
  private readonly touchedLeases = new Map<LeaseId, Lease>();

  constructor(
    readonly exchange: Exchange,
    readonly circumstances: Circumstances,
  ) {}

  get now(): Instant {
    return this.circumstances.now;
  }

  get policies(): Policies {
    return this.circumstances.policies;
  }

  /** @throws DomainError as `decideOrder` does. */
  tellOrder(orderId: OrderId, command: OrderCommand): Order {
    const before = this.exchange.order(orderId) ?? null;
    let order = before;
    for (const event of decideOrder(command, before)) {
      this.record(orderId, order?.version ?? 0, { orderId, leaseId: null, event });
      order = evolveOrder(order, event);
    }
    if (order === null || order === before) return order!;
    this.exchange.putOrder(order);
    this.touchedOrders.set(orderId, order);
    const after = order;
    this.undo.push(() => (before ? this.exchange.putOrder(before) : this.exchange.forgetOrder(after)));
    return order;
  }

  /**
   * @param commands one after the other; what they make of the lease takes effect at once
   * @throws DomainError as `decideLease` does.
   */
  tellLease(leaseId: LeaseId, ...commands: readonly LeaseCommand[]): Lease {
    const before = this.exchange.lease(leaseId) ?? null;
    let lease = before;
    for (const command of commands) {
      for (const event of decideLease(command, lease)) {
        const orderId = event.type === 'LeaseProposed' ? event.orderId : lease!.orderId;
        this.record(leaseId, lease?.version ?? 0, { orderId, leaseId, event });
        lease = evolveLease(lease, event);
      }
    }
    if (lease === null || lease === before) return lease!;
    this.exchange.putLease(lease);
    this.touchedLeases.set(leaseId, lease);
    const after = lease;
    this.undo.push(() => (before ? this.exchange.putLease(before) : this.exchange.forgetLease(after)));
    // The state, not the command, tells whether machines became free.
    if (lease.capacityReleased && before?.capacityReleased === false) this.wantRematch();
    return lease;
  }

  wantRematch(): void {
    const before = this.exchange.rematchWanted;
    this.exchange.rematchWanted = true;
    this.undo.push(() => (this.exchange.rematchWanted = before));
  }

  /** Remembers how to undo a change that was made beside orders and leases. */
  onRollback(undo: () => void): void {
    this.undo.push(undo);
  }

  private record(streamId: string, version: number, emitted: Emitted): void {
    const append = this.appends.get(streamId);
    const place = this.emitted.push(emitted) - 1;
    if (append) {
      append.events.push(emitted.event);
      append.places.push(place);
    } else {
      const { event } = emitted;
      this.appends.set(streamId, { streamId, expectedVersion: version, events: [event], places: [place] });
    }
  }

  rollback(): void {
    for (const undo of this.undo.reverse()) undo();
    this.undo.length = 0;
  }

  /** Ends the decision: what is over leaves the exchange. */
  finish(): Outcome {
    const orderIds = new Set([
      ...this.touchedOrders.keys(),
      ...[...this.touchedLeases.values()].map((l) => l.orderId),
    ]);
    const retired = [...orderIds].filter((orderId) => this.exchange.retire(orderId));
    return {
      retired,
      appends: [...this.appends.values()],
      emitted: this.emitted,
      orders: [...this.touchedOrders.values()],
      leases: [...this.touchedLeases.values()],
    };
  }
}

/** Runs a decision; whatever it throws leaves the exchange as it was. */
export const decide = <R>(
  exchange: Exchange,
  circumstances: Circumstances,
  work: (unit: UnitOfWork) => R,
): { result: R; outcome: Outcome } => {
  const unit = new UnitOfWork(exchange, circumstances);
  try {
    const result = work(unit);
    return { result, outcome: unit.finish() };
  } catch (error) {
    unit.rollback();
    throw error;
  }
};
