import { conflict, DomainError, type Instant, type Micros } from '@gridbourse/kernel';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import type { Balances, Transfer } from '../domain/ledger.ts';
import { planPosting } from '../domain/posting-plan.ts';
import { sqlStateOf } from './sql.ts';

const POST = `SELECT posted_id FROM ledger_post(
  $1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::bigint[], $10)`;
const BALANCES = `
  SELECT account_id, balance_micros FROM ledger_accounts WHERE account_id = ANY($1::text[])
  ORDER BY account_id FOR UPDATE`;
const WAITING = `SELECT transfer_id, transfer FROM ledger_waiting ORDER BY position FOR UPDATE`;
const FORGET_WAITING = `DELETE FROM ledger_waiting WHERE transfer_id = ANY($1::text[])`;
const KEEP_WAITING = `
  INSERT INTO ledger_waiting (transfer_id, transfer, since_ms)
  SELECT id, body, $3 FROM unnest($1::text[], $2::jsonb[]) WITH ORDINALITY AS w (id, body, ord) ORDER BY ord
  ON CONFLICT DO NOTHING`;
const TENANTS = `
  SELECT DISTINCT tenant FROM ledger_entries WHERE transfer_id = ANY($1::text[]) AND tenant IS NOT NULL`;

const CHECK_VIOLATION = '23514';

/** A waiting transfer as it is kept: JSON has no bigint. */
const waitingTransfer = z.object({
  id: z.string(),
  kind: z.enum(['deposit', 'withdrawal', 'lock', 'payment', 'refund', 'claim']),
  debit: z.string(),
  credit: z.string(),
  amountMicros: z.string().transform((text) => BigInt(text)),
  correctsId: z.string().nullable(),
  tenant: z.string().nullable(),
  leaseKey: z.string().nullable(),
  effectiveAtMs: z.number(),
});

/** Posts transfers inside the caller's transaction. What is kept are facts, so nothing here is ever changed. */
@Injectable()
export class LedgerStore {
  /**
   * Posts what the balances bear and keeps the rest waiting (see planPosting).
   * @returns the wallets whose books changed
   * @throws DomainError `transfer_changed` for a known id with other content: the transaction is lost
   */
  async apply(manager: EntityManager, fresh: readonly Transfer[], now: Instant): Promise<readonly string[]> {
    if (fresh.length === 0) return [];
    const waiting = await this.waiting(manager);
    const candidates = [...waiting, ...fresh];
    const plan = planPosting(await this.balances(manager, candidates), candidates);
    await this.post(manager, plan.post, now);
    await this.rememberWaiting(manager, waiting, plan.wait, now);
    if (plan.post.length === 0) return [];
    const rows = await manager.query<{ tenant: string }[]>(TENANTS, [plan.post.map(({ id }) => id)]);
    return rows.map(({ tenant }) => tenant).sort();
  }

  /**
   * One SQL call for the whole batch; all of it or nothing.
   * @returns the ids that were new; the others were on record with the same content
   * @throws DomainError `transfer_changed`, `balance_too_low`: the transaction is lost
   */
  async post(manager: EntityManager, batch: readonly Transfer[], now: Instant): Promise<ReadonlySet<string>> {
    if (batch.length === 0) return new Set();
    try {
      const rows = await manager.query<{ posted_id: string }[]>(POST, [
        batch.map((transfer) => transfer.id),
        batch.map((transfer) => transfer.kind),
        batch.map((transfer) => transfer.debit),
        batch.map((transfer) => transfer.credit),
        batch.map((transfer) => transfer.amountMicros.toString()),
        batch.map((transfer) => transfer.correctsId),
        batch.map((transfer) => transfer.tenant),
        batch.map((transfer) => transfer.leaseKey),
        batch.map((transfer) => transfer.effectiveAtMs),
        now,
      ]);
      return new Set(rows.map((row) => row.posted_id));
    } catch (error) {
      throw translate(error);
    }
  }

  private async balances(manager: EntityManager, transfers: readonly Transfer[]): Promise<Balances> {
    const accounts = [...new Set(transfers.flatMap(({ debit, credit }) => [debit, credit]))];
    const rows = await manager.query<{ account_id: string; balance_micros: string }[]>(BALANCES, [accounts]);
    return new Map<string, Micros>(rows.map((row) => [row.account_id, BigInt(row.balance_micros)]));
  }

  private async waiting(manager: EntityManager): Promise<readonly Transfer[]> {
    const rows = await manager.query<{ transfer: unknown }[]>(WAITING);
    return rows.map((row) => waitingTransfer.parse(row.transfer));
  }

  private async rememberWaiting(
    manager: EntityManager,
    before: readonly Transfer[],
    after: readonly Transfer[],
    now: Instant,
  ): Promise<void> {
    const kept = new Set(after.map(({ id }) => id));
    const gone = before.filter(({ id }) => !kept.has(id)).map(({ id }) => id);
    if (gone.length > 0) await manager.query(FORGET_WAITING, [gone]);
    if (after.length === 0) return;
    const bodies = after.map((transfer) =>
      JSON.stringify({ ...transfer, amountMicros: transfer.amountMicros.toString() }),
    );
    await manager.query(KEEP_WAITING, [after.map(({ id }) => id), bodies, now]);
  }
}

const translate = (error: unknown): unknown => {
  if (sqlStateOf(error) === 'GB101') {
    return new DomainError('conflict', 'transfer_changed', (error as Error).message, { cause: error });
  }
  // Of an account or of a tenant's books, whichever is written first.
  if (sqlStateOf(error) === CHECK_VIOLATION) {
    return conflict('balance_too_low', 'an account would be below zero');
  }
  return error;
};
