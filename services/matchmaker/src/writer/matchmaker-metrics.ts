import { METER } from '@gridbourse/api';
import type { Meter } from '@gridbourse/observability';
import { Inject, Injectable } from '@nestjs/common';
import { isBidding, isEnded, isWaiting, waitsForMoney } from '../domain/order.ts';
import { Matchmaker } from './matchmaker.ts';

const tally = (names: Iterable<string>): Map<string, number> => {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
};

/** The book at a glance: read from memory whenever somebody asks. */
@Injectable()
export class MatchmakerMetrics {
  constructor(
    @Inject(METER) meter: Meter,
    private readonly matchmaker: Matchmaker,
  ) {
    meter
      .createObservableGauge('gridbourse_orders', { description: 'Orders in memory, by what they wait for' })
      .addCallback((result) => {
        for (const [state, count] of this.orders()) result.observe(count, { state });
      });
    meter
      .createObservableGauge('gridbourse_leases', { description: 'Leases in memory, by state' })
      .addCallback((result) => {
        const states = [...this.matchmaker.exchange.leases()].map((lease) => lease.state);
        for (const [state, count] of tally(states)) result.observe(count, { state });
      });
    meter
      .createObservableGauge('gridbourse_market_gpus', { description: 'GPUs of live offers' })
      .addCallback((result) => {
        for (const [kind, count] of this.gpus()) result.observe(count, { kind });
      });
  }

  private orders(): Map<string, number> {
    return tally(
      [...this.matchmaker.exchange.orders()].map((order) => {
        if (isEnded(order.state)) return 'winding_down';
        if (isBidding(order)) return 'bidding';
        if (!isWaiting(order)) return 'placed';
        return waitsForMoney(order) ? 'waiting_for_money' : 'waiting_for_capacity';
      }),
    );
  }

  private gpus(): Map<string, number> {
    const { market, book } = this.matchmaker.exchange;
    const totals = new Map<string, number>();
    for (const kind of ['declared', 'held', 'committed', 'elsewhere', 'free']) totals.set(kind, 0);
    for (const offer of market.offers()) {
      for (const [kind, amounts] of Object.entries(book.usage(offer))) {
        totals.set(kind, totals.get(kind)! + amounts.gpus);
      }
    }
    return totals;
  }
}
