import type { AppendBatch } from '../append/batch.ts';
import type { StreamsGrown } from '../append/statements.ts';
import type { OutboxEvent } from './outbox-event.ts';

/** What was appended, and what became of its streams. */
export type RecentAppend = StreamsGrown & { readonly batch: AppendBatch };

/** Characters of JSON that are kept, the least recent given up first: some seconds at full speed. */
const MAX_CHARACTERS = 32 * 1_024 * 1_024;

type Transaction = { readonly appends: RecentAppend[]; events: number; characters: number };

/**
 * What this process has appended lately, so that its relay need not read back what it has just written. Only content comes
 * from here: whether a transaction counts, which of its events are there and where they stand, the relay asks the
 * database. A process whose relay stands by keeps nothing.
 */
export class RecentAppends {
  private readonly transactions = new Map<string, Transaction>();
  private characters = 0;
  private wanted = false;

  /** @param maxCharacters of JSON that are kept (32 Mi) */
  constructor(private readonly maxCharacters = MAX_CHARACTERS) {}

  /** Somebody relays from now on. What was kept before may be of another time. */
  begin(): void {
    this.forget();
    this.wanted = true;
  }

  /** Nobody relays here any more. */
  end(): void {
    this.forget();
    this.wanted = false;
  }

  get empty(): boolean {
    return this.transactions.size === 0;
  }

  /** Keeps what a transaction has appended, which may still come to nothing. */
  note(append: RecentAppend): void {
    if (!this.wanted) return;
    const { batch, tx, txs } = append;
    let [events, characters] = [0, 0];
    for (const { stream, nthPublic, text } of batch.events) {
      characters += text.length;
      if (nthPublic !== null && isOf(tx, txs, stream.place)) events += 1;
    }
    const known = this.transactions.get(tx);
    if (known) {
      known.appends.push(append);
      known.events += events;
      known.characters += characters;
    } else {
      this.transactions.set(tx, { appends: [append], events, characters });
    }
    this.characters += characters;
    for (const oldest of this.transactions.keys()) {
      if (this.characters <= this.maxCharacters) return;
      this.drop(oldest);
    }
  }

  /**
   * Gives up the transaction and those before it: whoever takes one has them behind.
   * @param count how many public events the database has under this tx, all of them written by this very transaction
   * @returns those events in their order; null unless it is these that are here
   */
  take(tx: string, count: number): readonly OutboxEvent[] | null {
    const found = this.transactions.get(tx);
    for (const other of this.transactions.keys()) if (BigInt(other) <= BigInt(tx)) this.drop(other);
    // More were appended where a part was undone. What is there was appended, so as many are the same.
    if (found?.events !== count) return null;
    return found.appends.flatMap((append) => eventsOf(append));
  }

  private drop(tx: string): void {
    this.characters -= this.transactions.get(tx)!.characters;
    this.transactions.delete(tx);
  }

  private forget(): void {
    this.transactions.clear();
    this.characters = 0;
  }
}

const isOf = (tx: string, txs: readonly string[] | null, place: number): boolean =>
  txs === null || txs[place - 1] === tx;

const eventsOf = ({ batch, tx, txs, publicBases }: RecentAppend): OutboxEvent[] => {
  const events: OutboxEvent[] = [];
  for (const { stream, type, schemaVersion, text, traceparent, nth, nthPublic } of batch.events) {
    if (nthPublic === null || !isOf(tx, txs, stream.place)) continue;
    events.push({
      streamId: stream.streamId,
      version: String(stream.expected + nth),
      type,
      schemaVersion,
      json: text,
      traceparent,
      occurredAtMs: batch.occurredAtMs,
      sequence: String((publicBases?.[stream.place - 1] ?? 0) + nthPublic),
    });
  }
  return events;
};
