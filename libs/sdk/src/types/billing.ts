import type { Money } from './common.ts';

export type Escrow = {
  deposited: Money;
  free: Money;
  locked: Money;
  spent: Money;
  withdrawn: Money;
  chain: { chainId: number; rpcUrl: string; computeMarket: string; usdc: string };
  /** Null: nothing is allowed yet, so no lease can be opened. */
  spendingLimit: { maxRatePerHour: Money; maxLocked: Money; validUntil: string } | null;
};

export type EscrowEntry = {
  entryId: string;
  at: string;
  kind: 'deposit' | 'withdrawal' | 'lock' | 'payment' | 'refund' | 'claim';
  account: 'free' | 'locked';
  leaseId: string | null;
  /** Negative where money left the account. */
  amount: Money;
  /** Of that account, after the entry. */
  balance: Money;
  /** Undoes an earlier entry, because the chain took its block back. */
  correction: boolean;
  txHash: string | null;
  transferId: string;
};

export type UsageWindow = {
  usageId: string;
  leaseId: string;
  windowStart: string;
  windowEnd: string;
  seconds: number;
  cumulativeSeconds: number;
  /** What the lease had earned at the end of the window. */
  earned: Money;
};

export type Settlement = {
  settlementId: string;
  leaseId: string;
  kind: 'interim' | 'final';
  state: 'drafted' | 'submitted' | 'confirmed' | 'finalized' | 'failed_retryable' | 'failed_final';
  /** All that the lease shall have been paid with this settlement. */
  cumulative: Money;
  /** What this settlement moved. */
  paid: Money | null;
  txHash: string | null;
  failure: string | null;
  draftedAt: string;
  submittedAt: string | null;
  confirmedAt: string | null;
};

export type Invoice = {
  leaseId: string;
  orderId: string;
  providerId: string;
  group: string;
  state: string;
  /** No more will be added: the meter is closed and the chain has paid. */
  final: boolean;
  rate: Money;
  durationSeconds: number;
  usage: { seconds: number; windows: number; from: string | null; to: string | null };
  amount: Money;
  paid: Money;
  lock: Money;
  refunded: Money | null;
  /** The same hours at the list price of large clouds. */
  list: { rate: Money; amount: Money; saving: Money; savingShare: number } | null;
};

/** A difference between meter, ledger and chain. */
export type Break = {
  breakId: string;
  kind: string;
  /** A lease id or a wallet. */
  subject: string;
  state: 'open' | 'resolved';
  meter: Money | null;
  ledger: Money | null;
  chain: Money | null;
  detail: string;
  openedAt: string;
  resolvedAt: string | null;
  resolution: string | null;
};

export type Books = {
  leases: Record<string, number>;
  meter: Money;
  ledgerPaid: Money;
  chainPaid: Money;
  refunded: Money;
  deposited: Money;
  free: Money;
  locked: Money;
  spent: Money;
  withdrawn: Money;
  openBreaks: number;
  platform: {
    chainConfirmMs: { p50: number | null; p99: number | null; count: number };
    gasPerSettledLease: number | null;
    gasUsed: { open: string; settle: string; close: string };
    settledLeases: number;
    transactions: number;
  };
};
