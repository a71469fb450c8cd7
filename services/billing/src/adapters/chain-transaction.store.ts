import type { Instant } from '@gridbourse/kernel';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { IntentKind } from './relayer.ts';

const SEEN = `
  INSERT INTO chain_transactions (tx_hash, seen_at_ms) VALUES ($1, $2)
  ON CONFLICT (tx_hash) DO UPDATE SET seen_at_ms = coalesce(chain_transactions.seen_at_ms, EXCLUDED.seen_at_ms)`;
const SIGNED = `
  INSERT INTO chain_transactions (tx_hash, intent_id, kind, submitted_at_ms, rows) VALUES ($1, $2, $3, $4, $5)
  ON CONFLICT (tx_hash) DO UPDATE SET intent_id = EXCLUDED.intent_id, kind = EXCLUDED.kind,
    submitted_at_ms = EXCLUDED.submitted_at_ms, rows = EXCLUDED.rows`;
const MINED = `UPDATE chain_transactions SET status = $2, gas_used = $3 WHERE tx_hash = $1`;

export type SignedTransaction = {
  readonly txHash: string;
  readonly intentId: string;
  readonly kind: IntentKind;
  readonly submittedAtMs: Instant;
  /** Leases that it is about. */
  readonly rows: number;
};

/** Our transactions on chain with their times and costs. Relayer and indexer may tell of them in either order. */
@Injectable()
export class ChainTransactionStore {
  /** An event of this transaction (ours or anybody's) has reached us. */
  async seen(manager: EntityManager, txHash: string, now: Instant): Promise<void> {
    await manager.query(SEEN, [txHash, now]);
  }

  async signed(manager: EntityManager, transaction: SignedTransaction): Promise<void> {
    const { txHash, intentId, kind, submittedAtMs, rows } = transaction;
    await manager.query(SIGNED, [txHash, intentId, kind, submittedAtMs, rows]);
  }

  async mined(
    manager: EntityManager,
    outcome: { txHash: string; status: 'confirmed' | 'reverted'; gasUsed: bigint },
  ): Promise<void> {
    await manager.query(MINED, [outcome.txHash, outcome.status, outcome.gasUsed.toString()]);
  }
}
