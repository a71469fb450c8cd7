import { Injectable } from '@nestjs/common';
import type { OrderId } from '@gridbourse/kernel';

/** Wakes those who wait for news of an order. Only a hint: whoever waits also looks by itself. */
@Injectable()
export class OrderSignals {
  private readonly waiting = new Map<OrderId, Set<() => void>>();

  notify(orderIds: Iterable<OrderId>): void {
    for (const orderId of orderIds) {
      const all = this.waiting.get(orderId);
      if (!all) continue;
      this.waiting.delete(orderId);
      for (const wake of all) wake();
    }
  }

  /**
   * Arms the signal at once, before the caller looks, so that news between looking and waiting are not missed.
   * @returns resolves at the next news, after `atMostMs`, or when the signal aborts; `cancel` gives it up
   */
  next(
    orderId: OrderId,
    atMostMs: number,
    abort?: AbortSignal,
  ): { promise: Promise<void>; cancel: () => void } {
    const { promise, resolve } = Promise.withResolvers<void>();
    const all = this.waiting.get(orderId) ?? new Set();
    this.waiting.set(orderId, all);
    const done = (): void => {
      clearTimeout(timer);
      abort?.removeEventListener('abort', done);
      all.delete(done);
      if (all.size === 0 && this.waiting.get(orderId) === all) this.waiting.delete(orderId);
      resolve();
    };
    const timer = setTimeout(done, atMostMs);
    all.add(done);
    if (abort?.aborted) done();
    else abort?.addEventListener('abort', done, { once: true });
    return { promise, cancel: done };
  }
}
