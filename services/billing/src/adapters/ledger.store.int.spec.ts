import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { DataSource } from 'typeorm';
import { steps } from '../../test/arbitraries.ts';
import { tellHistory, walletOf } from '../../test/chain-history.ts';
import { billingDatabase } from '../../test/database.ts';
import { type ChainLogState, hear } from '../domain/chain-log-state.ts';
import { transfersOf } from '../domain/chain-postings.ts';
import { ESCROW, freeAccount, lockedAccount } from '../domain/chart-of-accounts.ts';
import { emptyLedger, mirrorOf, post, type Transfer } from '../domain/ledger.ts';
import { LedgerStore } from './ledger.store.ts';

// Real: Postgres.
let database: Awaited<ReturnType<typeof billingDatabase>>;
let dataSource: DataSource;
const store = new LedgerStore();
const A = walletOf(0);
const LEASE = '0x000000010000000000000001';

beforeAll(async () => {
  database = await billingDatabase();
  dataSource = database.dataSource;
});
afterAll(() => database.close());

/** The ledger refuses deletion, so a test that starts anew has to lift that first. */
const empty = async (): Promise<void> => {
  await dataSource.query(`
    ALTER TABLE ledger_entries DISABLE TRIGGER append_only; ALTER TABLE ledger_transfers DISABLE TRIGGER append_only;
    DELETE FROM ledger_waiting; DELETE FROM ledger_entries; DELETE FROM ledger_transfers; DELETE FROM ledger_accounts;
    DELETE FROM tenants;
    ALTER TABLE ledger_entries ENABLE TRIGGER append_only; ALTER TABLE ledger_transfers ENABLE TRIGGER append_only`);
};
beforeEach(empty);

const transfer = (
  id: string,
  kind: Transfer['kind'],
  debit: string,
  credit: string,
  amountMicros: bigint,
): Transfer => ({
  id,
  kind,
  debit,
  credit,
  amountMicros,
  correctsId: null,
  tenant: A,
  leaseKey: null,
  effectiveAtMs: 1,
});
const deposit = (id: string, micros: bigint): Transfer =>
  transfer(id, 'deposit', ESCROW, freeAccount(A), micros);
const lock = (id: string, micros: bigint): Transfer =>
  transfer(id, 'lock', freeAccount(A), lockedAccount(LEASE), micros);

const posted = (batch: readonly Transfer[]): Promise<ReadonlySet<string>> =>
  dataSource.transaction((manager) => store.post(manager, batch, 5));
const balances = async (): Promise<Record<string, bigint>> => {
  const rows = await dataSource.query<{ account_id: string; balance_micros: string }[]>(
    'SELECT account_id, balance_micros FROM ledger_accounts WHERE balance_micros <> 0 ORDER BY account_id',
  );
  return Object.fromEntries(rows.map((row) => [row.account_id, BigInt(row.balance_micros)]));
};

describe('posting', () => {
  it('writes balances, entries with what was before and after, and the books of the tenant', async () => {
    await posted([deposit('d1', 100n), lock('l1', 30n), deposit('d2', 1n)]);
    expect(await balances()).toEqual({ escrow: 101n, [freeAccount(A)]: 71n, [lockedAccount(LEASE)]: 30n });
    const free = await dataSource.query(
      `SELECT transfer_id, previous_micros, new_micros FROM ledger_entries WHERE account_id = $1 ORDER BY entry_id`,
      [freeAccount(A)],
    );
    expect(free).toEqual([
      { transfer_id: 'd1', previous_micros: '0', new_micros: '100' },
      { transfer_id: 'l1', previous_micros: '100', new_micros: '70' },
      { transfer_id: 'd2', previous_micros: '70', new_micros: '71' },
    ]);
    const [books] = await dataSource.query(`SELECT * FROM tenants WHERE wallet = $1`, [A]);
    expect(books).toMatchObject({
      deposited_micros: '101',
      free_micros: '71',
      locked_micros: '30',
      spent_micros: '0',
    });
  });

  it('takes the same transfer once, in one batch and over batches', async () => {
    expect([...(await posted([deposit('d1', 100n), deposit('d1', 100n)]))]).toEqual(['d1']);
    expect([...(await posted([deposit('d1', 100n), deposit('d2', 1n)]))]).toEqual(['d2']);
    expect(await balances()).toMatchObject({ escrow: 101n });
  });

  it.each([
    ['amount', { amountMicros: 101n }],
    ['account', { credit: freeAccount(walletOf(1)) }],
    ['kind', { kind: 'claim' as const }],
    ['time', { effectiveAtMs: 2 }],
    ['correction', { correctsId: 'd0' }],
  ])('refuses a known id with another %s, for ever and without a trace', async (_, change) => {
    await posted([deposit('d0', 5n), deposit('d1', 100n)]);
    const before = await balances();
    const changed = { ...deposit('d1', 100n), ...change };
    for (const batch of [[changed], [deposit('d9', 1n), changed]]) {
      await expect(posted(batch)).rejects.toMatchObject({ code: 'transfer_changed' });
    }
    await expect(posted([deposit('d7', 1n), deposit('d7', 2n)])).rejects.toMatchObject({
      code: 'transfer_changed',
    });
    expect(await balances()).toEqual(before);
  });

  it('lets no account go below zero, and then posts nothing of the batch', async () => {
    await posted([deposit('d1', 100n)]);
    await expect(posted([deposit('d2', 5n), lock('l1', 106n)])).rejects.toMatchObject({
      code: 'balance_too_low',
    });
    expect(await balances()).toEqual({ escrow: 100n, [freeAccount(A)]: 100n });
  });

  it('undoes a transfer once, by its mirror', async () => {
    await posted([deposit('d1', 100n)]);
    await posted([mirrorOf(deposit('d1', 100n))]);
    expect(await balances()).toEqual({});
    const again = { ...mirrorOf(deposit('d1', 100n)), id: 'other' };
    await expect(posted([deposit('d2', 500n), again])).rejects.toThrow();
    const [books] = await dataSource.query(`SELECT * FROM tenants WHERE wallet = $1`, [A]);
    expect(books).toMatchObject({ deposited_micros: '0', free_micros: '0' });
  });

  it('cannot be rewritten', async () => {
    await posted([deposit('d1', 100n)]);
    for (const sql of [
      'UPDATE ledger_entries SET delta_micros = 1',
      'DELETE FROM ledger_entries',
      'UPDATE ledger_transfers SET amount_micros = 1',
      'DELETE FROM ledger_transfers',
      'TRUNCATE ledger_entries',
      'UPDATE tenants SET free_micros = free_micros + 1',
    ]) {
      await expect(dataSource.query(sql)).rejects.toThrow();
    }
  });

  it('stands many writers on one hot account', async () => {
    const writers = Array.from({ length: 10 }, (_, writer) =>
      (async () => {
        for (let batch = 0; batch < 10; batch += 1) {
          const transfers = Array.from({ length: 20 }, (__, n) => deposit(`w${writer}/${batch}/${n}`, 3n));
          // Half of the writers send the same ids as their neighbours.
          const shared = Array.from({ length: 5 }, (__, n) => deposit(`shared/${batch}/${n}`, 7n));
          await posted(writer % 2 === 0 ? [...transfers, ...shared] : [...shared.toReversed(), ...transfers]);
        }
      })(),
    );
    await Promise.all(writers);
    const total = 10n * 10n * 20n * 3n + 10n * 5n * 7n;
    expect(await balances()).toEqual({ escrow: total, [freeAccount(A)]: total });
    const gaps = await dataSource.query(`
      SELECT 1 FROM (SELECT previous_micros, lag(new_micros, 1, 0::bigint) OVER (PARTITION BY account_id ORDER BY entry_id) AS last
                     FROM ledger_entries) e WHERE previous_micros <> last`);
    expect(gaps).toEqual([]);
  });
});

describe('the ledger of a chain, in the database', () => {
  it('ends as the surviving logs say, with books that balance', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (history) => {
        await empty();
        const { told, surviving } = tellHistory(history);
        const logs = new Map<string, ChainLogState>();
        for (const { tidings, event } of told) {
          const { next, effect } = hear(tidings, logs.get(event.blockHash) ?? null);
          logs.set(event.blockHash, next);
          if (effect === 'none') continue;
          const caused = transfersOf(event, next.incarnation);
          await dataSource.transaction((manager) =>
            store.apply(manager, effect === 'book' ? caused : caused.map(mirrorOf), 9),
          );
        }
        const expected = post(
          emptyLedger,
          surviving.flatMap((event) => transfersOf(event, 0)),
        );
        const nonZero = [...expected.balances].filter(([, balance]) => balance !== 0n);
        expect(await balances()).toEqual(Object.fromEntries(nonZero));
        const [sums] = await dataSource.query(`
          SELECT (SELECT count(*) FROM ledger_waiting) AS waiting,
                 (SELECT count(*) FROM ledger_accounts a WHERE balance_micros <>
                    (SELECT coalesce(sum(delta_micros), 0) FROM ledger_entries e WHERE e.account_id = a.account_id)) AS unfolded,
                 (SELECT coalesce(sum(CASE side WHEN 'debit' THEN abs(delta_micros) ELSE -abs(delta_micros) END), 0)
                    FROM ledger_entries) AS imbalance`);
        expect(sums).toEqual({ waiting: '0', unfolded: '0', imbalance: '0' });
      }),
      { numRuns: 40 },
    );
  });
});
