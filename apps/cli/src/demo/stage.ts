import type { GridbourseClient, Lease, Order, OrderRequest } from '@gridbourse/sdk';
import { setTimeout as pause } from 'node:timers/promises';

const LOOK_EVERY_MS = 100;

/** The demo waited for something that did not come. */
export class DemoTimeout extends Error {
  constructor(what: string, seconds: number, found: string) {
    super(`waited ${seconds} s for ${what}; found ${found}`);
    this.name = 'DemoTimeout';
  }
}

const UNDECIDED: ReadonlySet<string> = new Set(['bidding', 'unmatched', 'matched']);

/** A tenant's view of the platform during one run: places orders, waits for states, remembers what it placed. */
export class Stage {
  readonly orderIds: string[] = [];
  private placed = 0;

  constructor(
    readonly client: GridbourseClient,
    readonly run: string,
    private readonly waitMs: number,
    readonly say: (line: string) => void,
  ) {}

  async place(request: OrderRequest): Promise<Order> {
    this.placed += 1;
    const order = await this.client.createOrder(request, `demo-${this.run}-${this.placed}`);
    this.orderIds.push(order.orderId);
    return order;
  }

  /** Ends whatever of this run has not ended: a run that broke off leaves nothing behind that costs money. */
  async tidy(): Promise<void> {
    for (const orderId of this.orderIds) {
      const order = await this.client.order(orderId);
      for (const lease of order.leases) {
        if (lease.state === 'funded' || lease.state === 'active') await this.client.closeLease(lease.leaseId);
      }
      if (UNDECIDED.has(order.state)) await this.client.cancelOrder(orderId);
    }
  }

  async order(orderId: string, wanted: (order: Order) => boolean, what: string): Promise<Order> {
    return this.until(
      () => this.client.order(orderId),
      wanted,
      what,
      (o) => this.describe(o),
    );
  }

  /** Waits until the one lease of the order is as wanted. */
  async lease(orderId: string, wanted: (lease: Lease) => boolean, what: string): Promise<Lease> {
    const order = await this.order(orderId, (o) => o.leases.some(wanted), what);
    return order.leases.find(wanted)!;
  }

  running(orderId: string): Promise<Lease> {
    return this.lease(orderId, (l) => l.state === 'active', `a running lease of ${orderId}`);
  }

  /** Waits until the meter has counted so many seconds. */
  async metered(leaseId: string, seconds: number): Promise<void> {
    await this.until(
      () => this.client.workload(leaseId),
      (workload) => workload.seconds >= seconds,
      `${seconds} metered seconds of ${leaseId}`,
    );
  }

  /** Waits for a lease that ended, for the given reason where one is given. */
  closed(orderId: string, reason?: string): Promise<Lease> {
    return this.lease(
      orderId,
      (l) => l.state === 'closed' && (reason === undefined || l.closeReason === reason),
      `a lease of ${orderId} closed${reason === undefined ? '' : ` (${reason})`}`,
    );
  }

  private describe(order: Order): string {
    return `order ${order.state}, leases ${order.leases.map((l) => `${l.state}${l.closeReason ? `/${l.closeReason}` : ''}`).join(', ') || 'none'}`;
  }

  async until<T>(
    read: () => Promise<T>,
    wanted: (value: T) => boolean,
    what: string,
    describe: (value: T) => string = (value) => JSON.stringify(value),
  ): Promise<T> {
    const end = Date.now() + this.waitMs;
    for (;;) {
      const value = await read();
      if (wanted(value)) return value;
      if (Date.now() > end) throw new DemoTimeout(what, Math.round(this.waitMs / 1_000), describe(value));
      await pause(LOOK_EVERY_MS);
    }
  }
}
