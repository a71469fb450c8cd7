import { type Caller, CLOCK } from '@gridbourse/api';
import { auctionResult, type Explanation } from '@gridbourse/events';
import { type AccountId, type Clock, conflict, type OrderId, rfc3339 } from '@gridbourse/kernel';
import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import { auctionText, groupText } from '../../domain/auction-result.ts';
import { isEnded, waitsForMoney } from '../../domain/order.ts';
import { explainOrder } from '../../domain/process/placing.ts';
import { cancelOrder } from '../../domain/process/tenant.ts';
import type { OrderEntity } from '../../read-models/order.entity.ts';
import { MatchReader, type OrderMatched } from '../../read-models/match-reader.ts';
import { OrderReader, type OrderWithLeases } from '../../read-models/order-reader.ts';
import { Matchmaker } from '../../writer/matchmaker.ts';
import { OrderSignals } from '../../writer/order-signals.ts';

/** Between two looks of those who wait for news that no signal has told them of. */
export const LOOK_AGAIN_MS = 1_000;

const NOTHING_TO_EXPLAIN = { offersConsidered: 0, constraints: [], nearest: [], smallestChange: null };

/** Why an order is where it is. */
export type Explained = {
  readonly order: OrderEntity;
  readonly why: Explanation;
  /** Its last match; null while it waits, and where it never had a place. */
  readonly matched: OrderMatched | null;
};

/** For an order that never had to wait. */
const summaryOf = (
  { state, auction, biddingClosesAtMs }: OrderEntity,
  matched: OrderMatched | null,
): string => {
  if (auction) return auctionText(z.decode(auctionResult, auction));
  if (state === 'bidding' && biddingClosesAtMs !== null) {
    return `Sealed bids are taken until ${rfc3339(biddingClosesAtMs)}; nobody sees them before that.`;
  }
  const best = matched && matched.ranking.length > 0 ? ` ${matched.ranking.map(groupText).join('; ')}.` : '';
  return `The order is ${state}: it never had to wait.${best}`.slice(0, 1_000);
};

/** What a tenant does with an order that is there. */
@Injectable()
export class OrderDeskService {
  constructor(
    private readonly matchmaker: Matchmaker,
    private readonly reader: OrderReader,
    private readonly matches: MatchReader,
    private readonly signals: OrderSignals,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** @throws DomainError not_found, conflict `order_ended`. */
  async cancel(caller: Caller, orderId: string): Promise<OrderWithLeases> {
    const { order } = await this.reader.order(caller.accountId, orderId);
    if (order.live) {
      await this.matchmaker.execute((unit) =>
        cancelOrder(unit, caller.accountId as AccountId, order.orderId),
      );
    } else if (order.state !== 'cancelled') {
      throw conflict(
        'order_ended',
        `the order is ${order.state} and its leases have ended: there is nothing left to cancel`,
      );
    }
    return this.reader.order(caller.accountId, orderId);
  }

  /**
   * Why the order has no place: worked out anew while it waits for capacity, else what was said last. And what it was
   * matched with, beside what it was preferred to.
   * @throws DomainError not_found
   */
  async explain(caller: Caller, orderId: string): Promise<Explained> {
    const { order } = await this.reader.order(caller.accountId, orderId);
    const matched = await this.matches.lastMatch(order.orderId);
    return { order, why: this.explanationOf(order, matched), matched };
  }

  private explanationOf(order: OrderEntity, matched: OrderMatched | null): Explanation {
    const { exchange } = this.matchmaker;
    const live = exchange.order(order.orderId);
    if (live?.state === 'unmatched' && !waitsForMoney(live)) {
      return explainOrder({ exchange, now: this.clock.now() }, live);
    }
    return order.explanation ?? { ...NOTHING_TO_EXPLAIN, summary: summaryOf(order, matched) };
  }

  /**
   * The order once it runs or has ended, or as it is when the time is over.
   * @param waitMs at most so long
   */
  async settled(caller: Caller, orderId: OrderId, waitMs: number): Promise<OrderWithLeases> {
    const until = performance.now() + waitMs;
    for (;;) {
      const left = until - performance.now();
      const news = this.signals.next(orderId, Math.max(0, Math.min(left, LOOK_AGAIN_MS)));
      const found = await this.reader.order(caller.accountId, orderId);
      if (isEnded(found.order.state) || left <= 0) {
        news.cancel();
        return found;
      }
      await news.promise;
    }
  }
}
