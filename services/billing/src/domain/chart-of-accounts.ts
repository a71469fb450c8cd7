/**
 * Every account of the ledger has a kind and an owner: `free/0x…` (wallet), `locked/0x…` (lease key on chain),
 * `earned/7` (provider on chain); the kinds that exist once have no owner.
 */
export type AccountKind = 'escrow' | 'free' | 'locked' | 'earned' | 'fees' | 'suspense' | 'external';

/** Balances are kept in the normal direction of the account, where they are never negative. */
export const chartOfAccounts: Readonly<
  Record<AccountKind, { readonly normal: 'debit' | 'credit'; readonly holds: string }>
> = {
  escrow: { normal: 'debit', holds: 'the tokens in the contract: our only asset' },
  free: { normal: 'credit', holds: 'what a tenant may withdraw or spend' },
  locked: { normal: 'credit', holds: 'what a lease may still pay or give back' },
  earned: { normal: 'credit', holds: 'what a provider may claim' },
  fees: { normal: 'credit', holds: 'what the protocol has kept' },
  suspense: { normal: 'credit', holds: 'money whose owner an operator has yet to name' },
  external: { normal: 'debit', holds: 'the world outside the contract, for adjustments by an operator' },
};

export type LedgerAccountId = string;

export const ESCROW: LedgerAccountId = 'escrow';
export const freeAccount = (wallet: string): LedgerAccountId => `free/${wallet}`;
export const lockedAccount = (leaseKey: string): LedgerAccountId => `locked/${leaseKey}`;
export const earnedAccount = (chainProviderId: number): LedgerAccountId => `earned/${chainProviderId}`;

export const kindOf = (account: LedgerAccountId): AccountKind => account.split('/', 1)[0] as AccountKind;

/** The first four bytes of a lease key name the provider, so that no table is needed to know who is paid. */
export const providerOfLeaseKey = (leaseKey: string): number => Number.parseInt(leaseKey.slice(2, 10), 16);
