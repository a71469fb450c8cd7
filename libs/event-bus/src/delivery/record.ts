/** A record as the log keeps it. */
export type LoggedRecord = {
  readonly offset: number;
  readonly key: string;
  readonly headers: unknown;
  readonly value: unknown;
  /** Why nobody can ever handle it, for what did not come from a publisher of ours: `value_not_json: …`. */
  readonly fault?: string;
};

/** A dead letter that nobody has dealt with yet. */
export type OpenLetter = LoggedRecord & {
  readonly id: string;
  readonly state: 'failed' | 'waiting' | 'skipping';
  readonly skipReason: string | null;
};

/** Why a record could not be handled. */
export type Failure = {
  /** Stable, snake_case; null for an error that has none. */
  readonly code: string | null;
  readonly error: string;
  readonly attempts: number;
};

/** What the owner of a partition keeps about records that could not be handled. */
export interface PartitionLetters {
  parkedKeys(): Promise<string[]>;
  /** Keeps the record for good and parks its key. `failure` is null for a record that only came behind a failed one. */
  park(record: LoggedRecord, failure: Failure | null): Promise<void>;
  next(key: string): Promise<OpenLetter | null>;
  settle(id: string, state: 'replayed' | 'skipped'): Promise<void>;
  /** A replay that failed: the key stays parked until it is asked for again. */
  failAgain(letter: OpenLetter, failure: Failure): Promise<void>;
  /** The key has nothing open any more. */
  unpark(key: string): Promise<void>;
}
