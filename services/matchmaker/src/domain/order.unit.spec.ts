import type { Explanation } from '@gridbourse/events';
import type { Decider } from '@gridbourse/kernel';
import { given } from '@gridbourse/testing';
import { describe, expect, it } from '@jest/globals';
import { group, idOf, leaseNumber, NOON, service, submission } from '../../test/builders.ts';
import { explainFunding } from './explanation.ts';
import {
  type AnyOrderEvent,
  decideOrder,
  evolveOrder,
  isEnded,
  type Order,
  ORDER_TRANSITIONS,
  type OrderCommand,
  type OrderState,
  waitsForMoney,
} from './order.ts';

const order: Decider<OrderCommand, Order | null, AnyOrderEvent> = {
  initial: null,
  decide: decideOrder,
  evolve: evolveOrder,
};
const orderId = idOf('order', 'a');
const atMs = NOON;
const submit: OrderCommand = {
  type: 'Submit',
  ...submission('a', [group('main', [service('web')])]),
  mode: 'instant',
  submittedAtMs: NOON,
};
const submitted = decideOrder(submit, null);
const explanation: Explanation = {
  summary: 'nothing fits',
  offersConsidered: 1,
  constraints: [],
  nearest: [],
  smallestChange: null,
};
const leases = [
  { leaseId: leaseNumber(1), providerId: idOf('provider', 'p'), offerId: idOf('offer', 'o'), group: 'main' },
];
const matched: AnyOrderEvent = {
  type: 'OrderMatched',
  orderId,
  leases,
  rateMicrosPerHour: 1n,
  ranking: [],
  atMs,
};
const unmatched: AnyOrderEvent = { type: 'OrderUnmatched', orderId, explanation, atMs };
const cancelled: AnyOrderEvent = { type: 'OrderCancelled', orderId, reason: 'tenant', detail: '', atMs };
const cancel: OrderCommand = { type: 'Cancel', reason: 'tenant', detail: '', atMs };

const closeBidding: OrderCommand = {
  type: 'CloseBidding',
  result: {
    closesAtMs: NOON + 5_000,
    closedAtMs: NOON + 5_001,
    bids: 1,
    standing: 0,
    failures: [],
    groups: [],
  },
  verdicts: [{ bidId: idOf('bid', 'one'), score: 0.5, failed: [] }],
};

const HISTORIES: Readonly<Record<OrderState, AnyOrderEvent[]>> = {
  submitted: [...submitted],
  bidding: [...submitted, { type: 'BiddingOpened', orderId, closesAtMs: NOON + 5_000, atMs }],
  unmatched: [...submitted, unmatched],
  matched: [...submitted, matched],
  fulfilled: [...submitted, matched, { type: 'OrderFulfilled', orderId, atMs }],
  cancelled: [...submitted, unmatched, cancelled],
  expired: [...submitted, unmatched, { type: 'OrderExpired', orderId, atMs }],
};

describe('an order', () => {
  it('is submitted with its notes, once', () => {
    expect(submitted.map(({ type }) => type)).toEqual(['OrderSubmitted', 'OrderAnnotated']);
    given(order, submitted).when(submit).thenNothing();
  });

  it('goes back to the book from a match, and is matched again', () => {
    given(order, [...submitted, matched])
      .when({ type: 'Unmatch', explanation, atMs })
      .then([unmatched]);
    given(order, [...submitted, matched, unmatched])
      .when({ type: 'Match', leases, rateMicrosPerHour: 1n, ranking: [], atMs })
      .thenState((state) =>
        expect(state).toMatchObject({ state: 'matched', leaseIds: [leaseNumber(1)], explanation }),
      );
  });

  it('is cancelled from every open state, twice is once, and not when it has ended otherwise', () => {
    for (const state of ['submitted', 'bidding', 'unmatched', 'matched'] as const) {
      given(order, HISTORIES[state]).when(cancel).then([cancelled]);
    }
    given(order, HISTORIES.cancelled).when(cancel).thenNothing();
    given(order, HISTORIES.fulfilled).when(cancel).thenRejected('order_ended');
    given(order, HISTORIES.expired).when(cancel).thenRejected('order_ended');
    given(order, HISTORIES.expired)
      .when({ ...cancel, reason: 'start_failed' })
      .thenNothing();
  });

  it('moves only along its table, and ended orders absorb', () => {
    const commands: OrderCommand[] = [
      submit,
      { type: 'OpenBidding', closesAtMs: NOON + 9_000, atMs },
      closeBidding,
      { type: 'Match', leases, rateMicrosPerHour: 1n, ranking: [], atMs },
      { type: 'Unmatch', explanation, atMs },
      { type: 'Fulfil', atMs },
      { ...cancel, reason: 'operator' },
      { type: 'Expire', atMs },
    ];
    for (const [state, history] of Object.entries(HISTORIES) as [OrderState, AnyOrderEvent[]][]) {
      const before = history.reduce<Order | null>(evolveOrder, null)!;
      expect(before.state).toBe(state);
      for (const command of commands) {
        const after = decideOrder(command, before).reduce<Order | null>(evolveOrder, before)!;
        if (command === closeBidding) expect(after.state).toBe(before.state);
        else if (after !== before) expect(ORDER_TRANSITIONS[before.state]).toContain(after.state);
        if (isEnded(before.state)) expect(after).toBe(before);
        if (after.state === 'cancelled' || after.state === 'expired') expect(after.endReason).not.toBeNull();
      }
    }
  });

  it('knows whether it waits for money or for capacity', () => {
    const short = explainFunding({ cause: 'insufficient_escrow', shortfallMicros: 5n, detail: '' }, 3);
    const waiting = (why: Explanation): Order =>
      [...submitted, { ...unmatched, explanation: why } as AnyOrderEvent].reduce<Order | null>(
        evolveOrder,
        null,
      )!;
    expect(waitsForMoney(waiting(short))).toBe(true);
    expect(waitsForMoney(waiting(explanation))).toBe(false);
  });
});
