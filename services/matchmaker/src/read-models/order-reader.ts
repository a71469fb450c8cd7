import { decodeCursor, type PageQuery, toPage } from '@gridbourse/api';
import type { AccountId, LeaseId, OrderId } from '@gridbourse/kernel';
import { notFound } from '@gridbourse/kernel';
import { Injectable } from '@nestjs/common';
import { Brackets, DataSource, In, type ObjectLiteral, type SelectQueryBuilder } from 'typeorm';
import { LeaseEntity } from './lease.entity.ts';
import { OrderEntity } from './order.entity.ts';

export type LeaseFilter = PageQuery & { state?: string | undefined; orderId?: string | undefined };

export type OrderWithLeases = { readonly order: OrderEntity; readonly leases: readonly LeaseEntity[] };

/** Newest first, from behind the cursor on, one row more than asked for. */
const keyset = <T extends ObjectLiteral>(
  query: SelectQueryBuilder<T>,
  columns: { at: string; id: string },
  { limit, cursor }: PageQuery,
): SelectQueryBuilder<T> => {
  const after = decodeCursor(cursor, ['bigint', 'text']);
  if (after) query.andWhere(`(${columns.at}, ${columns.id}) < (:at, :id)`, { at: after[0], id: after[1] });
  return query
    .orderBy(columns.at, 'DESC')
    .addOrderBy(columns.id, 'DESC')
    .take(limit + 1);
};

/** What is committed about orders and leases; only ever the caller's own. */
@Injectable()
export class OrderReader {
  constructor(private readonly dataSource: DataSource) {}

  find(orderId: string): Promise<OrderEntity | null> {
    return this.dataSource.manager.findOneBy(OrderEntity, { orderId: orderId as OrderId });
  }

  /** @throws DomainError not_found, also for an order of another account. */
  async order(accountId: string, orderId: string): Promise<OrderWithLeases> {
    const order = await this.find(orderId);
    if (!order || order.accountId !== accountId) throw notFound('order', orderId.slice(0, 80));
    return { order, leases: await this.leasesOf([order.orderId]) };
  }

  /** Oldest first. */
  private leasesOf(orderIds: readonly OrderId[]): Promise<LeaseEntity[]> {
    return this.dataSource.manager.find(LeaseEntity, {
      where: { orderId: In(orderIds) },
      order: { proposedAtMs: 'ASC', leaseId: 'ASC' },
    });
  }

  async orders(
    accountId: string,
    filter: PageQuery & { state?: string | undefined },
  ): Promise<{ items: OrderWithLeases[]; nextCursor: string | null }> {
    const query = this.dataSource.manager
      .createQueryBuilder(OrderEntity, 'o')
      .where('o.accountId = :accountId', { accountId });
    if (filter.state !== undefined) query.andWhere('o.state = :state', { state: filter.state });
    const rows = await keyset(query, { at: 'o.submittedAtMs', id: 'o.orderId' }, filter).getMany();
    const leases = Map.groupBy(await this.leasesOf(rows.map((row) => row.orderId)), (lease) => lease.orderId);
    return toPage(
      rows,
      filter.limit,
      (row) => [row.submittedAtMs, row.orderId],
      (order) => ({ order, leases: leases.get(order.orderId) ?? [] }),
    );
  }

  /** @throws DomainError not_found, also for a lease of others: it is its tenant's, and its provider's. */
  async lease(accountId: string, leaseId: string): Promise<LeaseEntity> {
    const [row] = await this.visibleLeases(accountId)
      .andWhere('l.leaseId = :leaseId', { leaseId: leaseId as LeaseId })
      .getMany();
    if (!row) throw notFound('lease', leaseId.slice(0, 80));
    return row;
  }

  /** Leases of an account: of its orders, and with its providers; newest first. */
  async leases(
    accountId: string,
    filter: LeaseFilter,
  ): Promise<{ items: LeaseEntity[]; nextCursor: string | null }> {
    const after = decodeCursor(filter.cursor, ['bigint', 'text']) ?? [null, null];
    const ids = await this.dataSource.query<{ lease_id: LeaseId }[]>(NEWEST_LEASES, [
      ...[accountId, filter.state ?? null, filter.orderId ?? null],
      ...after,
      filter.limit + 1,
    ]);
    const rows = await this.dataSource.manager.find(LeaseEntity, {
      where: { leaseId: In(ids.map((row) => row.lease_id)) },
      order: { proposedAtMs: 'DESC', leaseId: 'DESC' },
    });
    return toPage(
      rows,
      filter.limit,
      (row) => [row.proposedAtMs, row.leaseId],
      (row) => row,
    );
  }

  private visibleLeases(accountId: string): SelectQueryBuilder<LeaseEntity> {
    return this.dataSource.manager
      .createQueryBuilder(LeaseEntity, 'l')
      .where(
        new Brackets((either) =>
          either
            .where('l.accountId = :accountId', { accountId: accountId as AccountId })
            .orWhere('l.providerId IN (SELECT provider_id FROM providers WHERE account_id = :accountId)'),
        ),
      );
  }

  /** The order and all its leases have come to their end. */
  async hasEnded(orderId: OrderId): Promise<boolean> {
    const [row] = await this.dataSource.query<{ ended: boolean }[]>(ENDED, [orderId]);
    return row?.ended ?? true;
  }

  /** Median of the last hundred starts, milliseconds from proposal to running; null when nothing has run yet. */
  async usualStartMs(): Promise<number | null> {
    const [row] = await this.dataSource.query<{ median: number | null }[]>(USUAL_START);
    return row?.median == null ? null : Math.round(row.median);
  }
}

const newestLeases = (whose: string): string => `
  SELECT lease_id, proposed_at_ms FROM leases
  WHERE ${whose} AND ($2::text IS NULL OR state = $2::text) AND ($3::text IS NULL OR order_id = $3::text)
    AND ($4::bigint IS NULL OR (proposed_at_ms, lease_id) < ($4::bigint, $5::text))
  ORDER BY proposed_at_ms DESC, lease_id DESC LIMIT $6`;

/**
 * Leases that an account may see, newest first: those of its orders, and those with each of its providers, each found by an
 * index of its own. Asked for by OR, Postgres reads all leases of the account, or of everybody.
 */
const NEWEST_LEASES = `
  SELECT lease_id FROM (
    (${newestLeases('account_id = $1::text')})
    UNION
    SELECT theirs.* FROM providers p
    CROSS JOIN LATERAL (${newestLeases('provider_id = p.provider_id')}) AS theirs
    WHERE p.account_id = $1::text
  ) AS visible
  ORDER BY proposed_at_ms DESC, lease_id DESC LIMIT $6`;

const ENDED = `
  SELECT o.state IN ('fulfilled', 'cancelled', 'expired')
     AND NOT EXISTS (SELECT FROM leases l WHERE l.order_id = o.order_id AND l.state NOT IN ('closed', 'rejected', 'lapsed')) AS ended
  FROM orders o WHERE o.order_id = $1`;

const USUAL_START = `
  SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY running_since_ms - proposed_at_ms) AS median
  FROM (SELECT running_since_ms, proposed_at_ms FROM leases WHERE running_since_ms IS NOT NULL
        ORDER BY proposed_at_ms DESC LIMIT 100) AS recent`;
