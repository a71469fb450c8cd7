import { type PageQuery, toPage } from '@gridbourse/api';
import { type BidId, notFound } from '@gridbourse/kernel';
import { Injectable } from '@nestjs/common';
import { Brackets, DataSource, type SelectQueryBuilder } from 'typeorm';
import { BidEntity } from './bid.entity.ts';
import { keyset } from './order-reader.ts';

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

  async bids(
    accountId: string,
    filter: PageQuery & { state?: string | undefined; orderId?: string | undefined },
  ): Promise<{ items: BidEntity[]; nextCursor: string | null }> {
    const query = this.visible(accountId);
    if (filter.state !== undefined) query.andWhere('b.state = :state', { state: filter.state });
    if (filter.orderId !== undefined) query.andWhere('b.orderId = :orderId', { orderId: filter.orderId });
    const rows = await keyset(query, { at: 'b.placedAtMs', id: 'b.bidId' }, filter).getMany();
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
