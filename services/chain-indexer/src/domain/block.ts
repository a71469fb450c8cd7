import type { ChainLog } from '@gridbourse/events';
import type { Instant } from '@gridbourse/kernel';

export type BlockRef = { readonly number: number; readonly hash: string };

/** A block as the node shows it. */
export type Header = BlockRef & {
  readonly parentHash: string;
  readonly timeMs: Instant;
  /** Hashes of its transactions. */
  readonly transactions: readonly string[];
  /** The node's filter says that one of our contracts may have logged in it. */
  readonly mayHoldLogs: boolean;
};

/** A block as it was taken in. */
export type IndexedBlock = BlockRef & {
  readonly parentHash: string;
  readonly timeMs: Instant;
  readonly seenAtMs: Instant;
};

export type Contract = 'ComputeMarket' | 'ProviderRegistry';
export const CONTRACTS = ['ComputeMarket', 'ProviderRegistry'] as const satisfies readonly Contract[];

/** A log as the node shows it, with what it says; null where nobody follows that event. */
export type FoundLog = {
  readonly blockNumber: number;
  readonly blockHash: string;
  readonly logIndex: number;
  readonly txHash: string;
  readonly meaning: { readonly contract: Contract; readonly log: ChainLog } | null;
};

/** Consecutive blocks with all logs of our contracts in them. */
export type Segment = { readonly headers: readonly Header[]; readonly logs: readonly FoundLog[] };

/** A log that was taken in. */
export type IndexedLog = {
  readonly contract: Contract;
  readonly blockNumber: number;
  readonly blockHash: string;
  readonly logIndex: number;
  readonly txHash: string;
  readonly blockTimeMs: Instant;
  readonly seenAtMs: Instant;
  readonly log: ChainLog;
};

/** The three watermarks of the node. `safe` and `finalized` are null where it does not say. */
export type Heads = {
  readonly latest: BlockRef;
  readonly safe: BlockRef | null;
  readonly finalized: BlockRef | null;
};
