import { decodeCursor, type PageQuery, toPage } from '@gridbourse/api';
import { type BidId, notFound } from '@gridbourse/kernel';
import { Injectable } from '@nestjs/common';
import { Brackets, DataSource, In, type SelectQueryBuilder } from 'typeorm';
import { BidEntity } from './bid.entity.ts';

export type BidFilter = PageQuery & { state?: string | undefined; orderId?: string | undefined };

/** What is committed about bids: the caller's own, and those on the caller's orders once their windows have closed. */
@Injectable()
export class BidReader {
  constructor(private readonly dataSource: DataSource) {}

  /** @throws DomainError not_found, also for a sealed bid of others. */
  async bid(accountId: string, bidId: string): Promise<BidEntity> {
    const [row] = await this.visible(accountId)
      .andWhere('b.bidId = :bidId', { bidId: bidId as BidId })
      .getMany();
    if (!row) throw notFound('bid', bidId.slice(0, 80));
    return row;
  }

  /** Newest first. */
  async bids(
    accountId: string,
    filter: BidFilter,
  ): Promise<{ items: BidEntity[]; nextCursor: string | null }> {
    const { text, parameters } = newestBids(accountId, filter);
    const ids = await this.dataSource.query<{ bid_id: BidId }[]>(text, parameters);
    const rows = await this.dataSource.manager.find(BidEntity, {
      where: { bidId: In(ids.map((row) => row.bid_id)) },
      order: { placedAtMs: 'DESC', bidId: 'DESC' },
    });
    return toPage(
      rows,
      filter.limit,
      (row) => [row.placedAtMs, row.bidId],
      (row) => row,
    );
  }

  private visible(accountId: string): SelectQueryBuilder<BidEntity> {
    return this.dataSource.manager.createQueryBuilder(BidEntity, 'b').where(
      new Brackets((either) =>
        either
          .where('b.providerId IN (SELECT provider_id FROM providers WHERE account_id = :accountId)', {
            accountId,
          })
          .orWhere(
            'b.orderId IN (SELECT order_id FROM orders WHERE account_id = :accountId AND auction IS NOT NULL)',
          ),
      ),
    );
  }
}

/**
 * Bids that an account may see: those on its orders, and those of each of its providers, each found by an index of its own.
 * Asked for by OR, Postgres reads all bids there are.
 */
const newestBids = (accountId: string, filter: BidFilter): { text: string; parameters: unknown[] } => {
  const parameters: unknown[] = [accountId, filter.limit + 1];
  const given = (value: unknown, type: string): string => `$${parameters.push(value)}::${type}`;
  const conditions: string[] = [];
  if (filter.state !== undefined) conditions.push(`b.state = ${given(filter.state, 'text')}`);
  if (filter.orderId !== undefined) conditions.push(`b.order_id = ${given(filter.orderId, 'text')}`);
  const after = decodeCursor(filter.cursor, ['bigint', 'text']);
  if (after)
    conditions.push(
      `(b.placed_at_ms, b.bid_id) < (${given(after[0], 'bigint')}, ${given(after[1], 'text')})`,
    );
  const newest = (...whose: string[]): string => `
    SELECT b.bid_id, b.placed_at_ms FROM bids b WHERE ${[...whose, ...conditions].join(' AND ')}
    ORDER BY b.placed_at_ms DESC, b.bid_id DESC LIMIT $2`;
  const text = `
    SELECT bid_id FROM (
      (${newest('b.account_id = $1::text', WINDOW_CLOSED)})
      UNION
      SELECT theirs.* FROM providers p CROSS JOIN LATERAL (${newest('b.provider_id = p.provider_id')}) AS theirs
      WHERE p.account_id = $1::text
    ) AS visible
    ORDER BY placed_at_ms DESC, bid_id DESC LIMIT $2`;
  return { text, parameters };
};

/** What others have bid is told to the tenant only then. */
const WINDOW_CLOSED = 'EXISTS (SELECT FROM orders o WHERE o.order_id = b.order_id AND o.auction IS NOT NULL)';
