import { EventStore } from '@gridbourse/event-store';
import type { OrderEvent } from '@gridbourse/events';
import type { OrderId } from '@gridbourse/kernel';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

export type OrderMatched = Extract<OrderEvent, { type: 'OrderMatched' }>;

/**
 * How orders were matched, read from their events when somebody asks: nobody else has a use for it, and so a matched order
 * costs no column of any table for it.
 */
@Injectable()
export class MatchReader {
  constructor(
    private readonly dataSource: DataSource,
    private readonly store: EventStore,
  ) {}

  /** The last match of an order, also when the order has ended since; null while it waits, and where it never had a place. */
  async lastMatch(orderId: OrderId): Promise<OrderMatched | null> {
    const { events } = await this.store.load(this.dataSource.manager, orderId);
    const last = (events as OrderEvent[]).findLast(
      ({ type }) => type === 'OrderMatched' || type === 'OrderUnmatched',
    );
    return last?.type === 'OrderMatched' ? last : null;
  }
}
