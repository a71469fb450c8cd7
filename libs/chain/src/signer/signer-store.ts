import { DomainError } from '@gridbourse/kernel';
import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import type { Revert } from '../reverts.ts';
import type { TxIntent } from './types.ts';

export type QueuedIntent = {
  readonly id: string;
  readonly to: string;
  readonly data: string;
  readonly gasLimit: bigint | null;
};

export type StoredAttempt = {
  readonly hash: string;
  readonly raw: string;
  readonly maxFeePerGas: bigint;
  readonly signedAtMs: number;
  /** False: only uses up the nonce. */
  readonly carriesIntent: boolean;
};

export type Told = 'confirmed' | 'reverted' | 'rejected' | null;

export type MinedIn = { readonly hash: string; readonly blockNumber: number; readonly blockHash: string };

export type StoredNonce = {
  readonly nonce: number;
  readonly intent: QueuedIntent | null;
  /** The outcome of the intent that was told last. */
  readonly told: Told;
  readonly poison: Revert | null;
  readonly state: 'open' | 'mined' | 'final';
  readonly mined: MinedIn | null;
  /** Which of the attempts was in a block when last seen in one. */
  readonly preferredHash: string | null;
  readonly attempts: readonly StoredAttempt[];
};

export type KeyRecord = {
  readonly chainId: number;
  readonly genesisHash: string;
  readonly nextNonce: number;
};

type IntentRow = { id: string; to_address: string; data: string; gas_limit: string | null; status: string };
type NonceRow = IntentRow & {
  nonce: string;
  intent_id: string | null;
  poison: Revert | null;
  state: StoredNonce['state'];
  hash: string | null;
  block_number: string | null;
  block_hash: string | null;
  attempts: { hash: string; raw: string; fee: string; signed_at_ms: number; intent: boolean }[] | null;
};

const intentOf = (row: IntentRow): QueuedIntent => ({
  id: row.id,
  to: row.to_address,
  data: row.data,
  gasLimit: row.gas_limit === null ? null : BigInt(row.gas_limit),
});

const NONCES = `
  SELECT n.nonce, n.intent_id, n.poison, n.state, n.hash, n.block_number, n.block_hash,
         i.id, i.to_address, i.data, i.gas_limit, i.status, t.attempts
  FROM signer_nonces n
  LEFT JOIN signer_intents i ON i.id = n.intent_id
  CROSS JOIN LATERAL (
    SELECT json_agg(json_build_object('hash', a.hash, 'raw', a.raw, 'fee', a.max_fee_per_gas::text,
             'signed_at_ms', a.signed_at_ms, 'intent', a.intent_id IS NOT NULL) ORDER BY a.attempt) AS attempts
    FROM signer_transactions a WHERE a.signer = n.signer AND a.nonce = n.nonce
  ) t
  WHERE n.signer = $1 AND n.state <> 'displaced'`;

const TOLD = new Set(['confirmed', 'reverted', 'rejected']);

const storedNonce = (row: NonceRow): StoredNonce => ({
  nonce: Number(row.nonce),
  intent: row.intent_id === null ? null : intentOf(row),
  told: TOLD.has(row.status) ? (row.status as Told) : null,
  poison: row.poison,
  state: row.state,
  mined:
    row.hash === null || row.block_hash === null
      ? null
      : { hash: row.hash, blockNumber: Number(row.block_number), blockHash: row.block_hash },
  preferredHash: row.hash,
  attempts: (row.attempts ?? []).map((attempt) => ({
    hash: attempt.hash,
    raw: attempt.raw,
    maxFeePerGas: BigInt(attempt.fee),
    signedAtMs: attempt.signed_at_ms,
    carriesIntent: attempt.intent,
  })),
});

/** The tables of `signerMigration` in a service's own database. */
export class SignerStore {
  private readonly dataSource: DataSource;

  constructor(dataSource: DataSource) {
    this.dataSource = dataSource;
  }

  /**
   * Keeps an intent, in the caller's transaction.
   * @throws DomainError `intent_reused`: the same id with another content
   */
  async enqueue(manager: EntityManager, signer: string, intent: TxIntent, nowMs: number): Promise<void> {
    const to = intent.to.toLowerCase();
    const inserted = await manager.query<unknown[]>(
      `INSERT INTO signer_intents (id, signer, to_address, data, gas_limit, status, enqueued_at_ms)
       VALUES ($1, $2, $3, $4, $5, 'queued', $6) ON CONFLICT (id) DO NOTHING RETURNING 1`,
      [intent.id, signer, to, intent.data, intent.gasLimit?.toString() ?? null, nowMs],
    );
    if (inserted.length > 0) return;
    const known = await manager.query<unknown[]>(
      'SELECT 1 FROM signer_intents WHERE id = $1 AND to_address = $2 AND data = $3',
      [intent.id, to, intent.data],
    );
    if (known.length > 0) return;
    throw new DomainError('conflict', 'intent_reused', `intent ${intent.id} exists with another content`);
  }

  /** Takes hold of a key for as long as the session lives; null when another process has it. */
  async claim(signer: string): Promise<SignerSession | null> {
    const runner = this.dataSource.createQueryRunner();
    try {
      await runner.connect();
      const [row] = (await runner.query('SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS held', [
        lockName(signer),
      ])) as { held: boolean }[];
      if (row!.held) return new SignerSession(runner, signer);
    } catch (error) {
      await runner.release();
      throw error;
    }
    await runner.release();
    return null;
  }
}

const lockName = (signer: string): string => `gridbourse:signer:${signer}`;

/**
 * Everything that the holder of a key reads and writes, on the very connection that holds the lock: once that is lost,
 * nothing can be written any more.
 */
export class SignerSession {
  private readonly runner: QueryRunner;
  private readonly signer: string;

  constructor(runner: QueryRunner, signer: string) {
    this.runner = runner;
    this.signer = signer;
  }

  async release(): Promise<void> {
    await this.query('SELECT pg_advisory_unlock(hashtextextended($1, 0))', [lockName(this.signer)]).catch(
      () => undefined,
    );
    await this.runner.release();
  }

  async transaction<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    await this.runner.startTransaction();
    try {
      const result = await work(this.runner.manager);
      await this.runner.commitTransaction();
      return result;
    } catch (error) {
      if (this.runner.isTransactionActive) await this.runner.rollbackTransaction().catch(() => undefined);
      throw error;
    }
  }

  /** Whether the connection still works: throws when it does not. */
  async ping(): Promise<void> {
    await this.query('SELECT 1', []);
  }

  async key(): Promise<KeyRecord | null> {
    const [row] = await this.query<{ chain_id: string; genesis_hash: string; next_nonce: string }>(
      'SELECT chain_id, genesis_hash, next_nonce FROM signer_keys WHERE address = $1',
      [this.signer],
    );
    if (!row) return null;
    return {
      chainId: Number(row.chain_id),
      genesisHash: row.genesis_hash,
      nextNonce: Number(row.next_nonce),
    };
  }

  async createKey(record: KeyRecord): Promise<void> {
    await this.query(
      'INSERT INTO signer_keys (address, chain_id, genesis_hash, next_nonce) VALUES ($1, $2, $3, $4)',
      [this.signer, record.chainId, record.genesisHash, record.nextNonce],
    );
  }

  async setNextNonce(manager: EntityManager, from: number, to: number): Promise<void> {
    const [, changed] = await manager.query<[unknown, number]>(
      'UPDATE signer_keys SET next_nonce = $3 WHERE address = $1 AND next_nonce = $2',
      [this.signer, from, to],
    );
    if (changed !== 1)
      throw new DomainError('internal', 'nonce_conflict', `${this.signer}: the next nonce is not ${from}`);
  }

  /** Oldest first. */
  async queued(limit: number, except: readonly string[]): Promise<QueuedIntent[]> {
    const rows = await this.query<IntentRow>(
      `SELECT id, to_address, data, gas_limit, status FROM signer_intents
       WHERE signer = $1 AND status = 'queued' AND NOT (id = ANY($3::text[])) ORDER BY position LIMIT $2`,
      [this.signer, limit, except],
    );
    return rows.map(intentOf);
  }

  /** Nonces that are not final yet, in order. */
  async watched(): Promise<StoredNonce[]> {
    const rows = await this.query<NonceRow>(`${NONCES} AND n.state IN ('open', 'mined') ORDER BY n.nonce`, [
      this.signer,
    ]);
    return rows.map(storedNonce);
  }

  /** Nonces in [from, to), final or not. */
  async range(from: number, to: number): Promise<StoredNonce[]> {
    const rows = await this.query<NonceRow>(`${NONCES} AND n.nonce >= $2 AND n.nonce < $3 ORDER BY n.nonce`, [
      this.signer,
      from,
      to,
    ]);
    return rows.map(storedNonce);
  }

  /** A nonce that was displaced on a chain which has since lost it may be given out again. */
  async insertNonce(manager: EntityManager, nonce: number, intentId: string | null): Promise<void> {
    await manager.query(
      `INSERT INTO signer_nonces (signer, nonce, intent_id, state) VALUES ($1, $2, $3, 'open')
       ON CONFLICT (signer, nonce) DO UPDATE SET intent_id = $3, state = 'open', poison = NULL
       WHERE signer_nonces.state = 'displaced'`,
      [this.signer, nonce, intentId],
    );
    if (intentId === null) return;
    await manager.query(`UPDATE signer_intents SET status = 'sent' WHERE id = $1`, [intentId]);
  }

  async insertAttempt(
    manager: EntityManager,
    nonce: number,
    intentId: string | null,
    signed: StoredAttempt,
  ): Promise<void> {
    await manager.query(
      `INSERT INTO signer_transactions (signer, nonce, attempt, intent_id, hash, raw, max_fee_per_gas, signed_at_ms)
       SELECT $1::text, $2::bigint, count(*) + 1, $3::text, $4::text, $5::text, $6::numeric, $7::bigint FROM signer_transactions WHERE signer = $1 AND nonce = $2`,
      [
        this.signer,
        nonce,
        intentId,
        signed.hash,
        signed.raw,
        signed.maxFeePerGas.toString(),
        signed.signedAtMs,
      ],
    );
  }

  async setPoison(manager: EntityManager, nonce: number, poison: Revert): Promise<void> {
    await manager.query('UPDATE signer_nonces SET poison = $3 WHERE signer = $1 AND nonce = $2', [
      this.signer,
      nonce,
      JSON.stringify(poison),
    ]);
  }

  async setMined(manager: EntityManager, nonce: number, mined: MinedIn): Promise<void> {
    await manager.query(
      `UPDATE signer_nonces SET state = 'mined', hash = $3, block_number = $4, block_hash = $5
       WHERE signer = $1 AND nonce = $2`,
      [this.signer, nonce, mined.hash, mined.blockNumber, mined.blockHash],
    );
  }

  /** Keeps the hash that was mined: those bytes are the ones to send again. */
  async setOpen(nonces: readonly number[]): Promise<void> {
    await this.query(
      `UPDATE signer_nonces SET state = 'open', block_number = NULL, block_hash = NULL
       WHERE signer = $1 AND nonce = ANY($2::bigint[])`,
      [this.signer, nonces],
    );
  }

  async setFinal(nonces: readonly number[]): Promise<void> {
    await this.query(
      `UPDATE signer_nonces SET state = 'final' WHERE signer = $1 AND nonce = ANY($2::bigint[])`,
      [this.signer, nonces],
    );
  }

  /** The nonce went to another transaction of the key; the intent, if it has no outcome yet, queues again. */
  async displace(manager: EntityManager, nonce: number, intentId: string | null): Promise<void> {
    await manager.query(`UPDATE signer_nonces SET state = 'displaced' WHERE signer = $1 AND nonce = $2`, [
      this.signer,
      nonce,
    ]);
    if (intentId === null) return;
    await manager.query(`UPDATE signer_intents SET status = 'queued' WHERE id = $1`, [intentId]);
  }

  async decide(
    manager: EntityManager,
    intentId: string,
    status: 'confirmed' | 'reverted' | 'rejected',
    error: Revert | null,
    nowMs: number,
  ): Promise<void> {
    await manager.query(
      'UPDATE signer_intents SET status = $2, error = $3, decided_at_ms = $4 WHERE id = $1',
      [intentId, status, error === null ? null : JSON.stringify(error), nowMs],
    );
  }

  private async query<T>(sql: string, parameters: unknown[]): Promise<T[]> {
    return (await this.runner.query(sql, parameters)) as T[];
  }
}
