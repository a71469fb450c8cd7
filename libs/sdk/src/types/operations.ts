export type Chain = {
  chainId: number;
  contracts: Record<string, string>;
  deployBlock: number;
  latest: number | null;
  safe: number | null;
  finalized: number | null;
  halted: string | null;
};

/** An event that a service could not handle, or that waits behind one. */
export type DeadLetter = {
  id: string;
  topic: string;
  deadLetterTopic: string;
  key: string;
  state: 'failed' | 'waiting' | 'skipping' | 'replayed' | 'skipped';
  error: string | null;
  /** Stable, for programs: `unknown_event`, `event_not_decodable`, …; null where the error had none. */
  errorCode: string | null;
  attempts: number;
  skipReason: string | null;
  deadAt: string;
  settledAt: string | null;
};

/** With the record as it was published. */
export type DeadLetterWithRecord = DeadLetter & { headers: Record<string, string>; value: unknown };

/** Tables of a service that follow from events and can be made anew while they are served. */
export type ReadModel = {
  name: string;
  tables: string[];
  /** `interrupted`: begun and not ended; asking for it again carries it on. */
  state: 'idle' | 'rebuilding' | 'interrupted';
  /** Events projected, and events left (counted up to 100 000). */
  progress: { events: number; left: number; startedAt: string } | null;
  lastRebuild: { events: number; startedAt: string; finishedAt: string } | null;
  /** Why the last one that was begun has failed. */
  failure: { code: string; detail: string } | null;
};

export type BusLag = {
  partitions: { topic: string; partition: number; committed: number; end: number; lag: number }[];
  /** Events that are not handled yet. */
  lag: number;
};
