import { conflict, type Instant, type Micros } from '@gridbourse/kernel';
import { chartOfAccounts, kindOf, type LedgerAccountId } from './chart-of-accounts.ts';

export type TransferKind = 'deposit' | 'withdrawal' | 'lock' | 'payment' | 'refund' | 'claim';

/**
 * Money moves from one account to one other, so debits equal credits by construction. The id is given by the caller:
 * the same id with the same content is one effect, the same id with another content is refused for ever.
 */
export type Transfer = {
  readonly id: string;
  readonly kind: TransferKind;
  readonly debit: LedgerAccountId;
  readonly credit: LedgerAccountId;
  /** Above zero. */
  readonly amountMicros: Micros;
  /** The transfer that this one undoes, by the same entries the other way round. */
  readonly correctsId: string | null;
  readonly tenant: string | null;
  readonly leaseKey: string | null;
  /** Time of the block that caused it: part of the content, so it must not depend on when we heard of it. */
  readonly effectiveAtMs: Instant;
};

export type Entry = {
  readonly transferId: string;
  readonly account: LedgerAccountId;
  readonly side: 'debit' | 'credit';
  readonly amountMicros: Micros;
  readonly previousMicros: Micros;
  readonly newMicros: Micros;
};

export type Balances = ReadonlyMap<LedgerAccountId, Micros>;

export type Ledger = {
  readonly balances: Balances;
  readonly transfers: ReadonlyMap<string, Transfer>;
  readonly entries: readonly Entry[];
};

export const emptyLedger: Ledger = { balances: new Map(), transfers: new Map(), entries: [] };

export const balanceOf = (balances: Balances, account: LedgerAccountId): Micros =>
  balances.get(account) ?? 0n;

/** Same money, the other way: what undoes a transfer whose cause was taken back. */
export const mirrorOf = (transfer: Transfer): Transfer => ({
  ...transfer,
  id: `${transfer.id}/undone`,
  debit: transfer.credit,
  credit: transfer.debit,
  correctsId: transfer.id,
});

/** By how much an entry moves the balance of its account, in the account's normal direction. */
export const deltaOf = (account: LedgerAccountId, side: 'debit' | 'credit', amountMicros: Micros): Micros =>
  chartOfAccounts[kindOf(account)].normal === side ? amountMicros : -amountMicros;

const FIELDS = [
  'kind',
  'debit',
  'credit',
  'amountMicros',
  'correctsId',
  'leaseKey',
  'effectiveAtMs',
] as const;

/** The tenant is left out: it follows from the accounts. */
export const sameContent = (a: Transfer, b: Transfer): boolean =>
  FIELDS.every((field) => a[field] === b[field]);

/** What an account would hold after these transfers, whether or not it may go that low. */
export const sumOf = (balances: Balances, transfers: Iterable<Transfer>): Map<LedgerAccountId, Micros> => {
  const after = new Map(balances);
  for (const { debit, credit, amountMicros } of transfers) {
    after.set(debit, balanceOf(after, debit) + deltaOf(debit, 'debit', amountMicros));
    after.set(credit, balanceOf(after, credit) + deltaOf(credit, 'credit', amountMicros));
  }
  return after;
};

export const fits = (balances: Balances, transfer: Transfer): boolean => {
  const after = sumOf(new Map(), [transfer]);
  return [...after].every(([account, delta]) => balanceOf(balances, account) + delta >= 0n);
};

/**
 * The reference for what the database does: posts a batch as one operation.
 * @throws DomainError `transfer_changed` for a known id with other content, `balance_too_low` when an account would be
 *   below zero at the end of the batch. Nothing is posted then.
 */
export const post = (ledger: Ledger, batch: readonly Transfer[]): Ledger => {
  const balances = new Map(ledger.balances);
  const transfers = new Map(ledger.transfers);
  const entries = [...ledger.entries];
  for (const transfer of batch) {
    const known = transfers.get(transfer.id);
    if (known && !sameContent(known, transfer)) {
      throw conflict('transfer_changed', `transfer ${transfer.id} is on record with other content`);
    }
    if (known) continue;
    transfers.set(transfer.id, transfer);
    for (const side of ['debit', 'credit'] as const) {
      const account = transfer[side];
      const previousMicros = balanceOf(balances, account);
      const newMicros = previousMicros + deltaOf(account, side, transfer.amountMicros);
      balances.set(account, newMicros);
      entries.push({
        transferId: transfer.id,
        account,
        side,
        amountMicros: transfer.amountMicros,
        previousMicros,
        newMicros,
      });
    }
  }
  for (const [account, balance] of balances) {
    if (balance < 0n) throw conflict('balance_too_low', `account ${account} would be at ${balance}`);
  }
  return { balances, transfers, entries };
};
