import type { AppendBatch, EventRow } from '../append/batch.ts';
import type { StreamsGrown } from '../append/statements.ts';
import type { OutboxEvent } from './outbox-event.ts';

/** Characters of JSON that are kept, the least recent given up first: some seconds at full speed. */
const MAX_CHARACTERS = 16 * 1_024 * 1_024;

/**
 * What the row of an event `e` is known by, in SQL: what made it (xmin), a transaction or what was done under a savepoint, its
 * stream and its version. Two appends never give the same, whatever came to nothing: a stream has one event of a version, and
 * what was undone was done under another xmin than what was done in its place.
 */
export const ROW_IDENTITY = `e.xmin::text || ' ' || e.stream_id || '@' || e.version`;

/** The public events of one append. */
class Kept {
  readonly characters: number;
  private readonly rows: readonly EventRow[];
  private readonly occurredAtMs: number;
  private readonly publicBases: readonly number[] | null;
  /** Where the next one is looked for: they are asked for in their order, but for those whose streams have a higher tx. */
  private next = 0;
  private taken = 0;

  constructor({ events, occurredAtMs }: AppendBatch, publicBases: readonly number[] | null) {
    this.rows = events.filter(({ nthPublic }) => nthPublic !== null);
    this.characters = this.rows.reduce((sum, { text }) => sum + text.length, 0);
    this.occurredAtMs = occurredAtMs;
    this.publicBases = publicBases;
  }

  get spent(): boolean {
    return this.taken >= this.rows.length;
  }

  /** @param at where the id of the event begins in the identity of its row */
  take(identity: string, at: number): OutboxEvent | null {
    const { rows } = this;
    for (let tried = 0; tried < rows.length; tried += 1) {
      const place = (this.next + tried) % rows.length;
      const row = rows[place]!;
      const id = `${row.stream.streamId}@${row.stream.expected + row.nth}`;
      if (identity.length !== at + id.length || !identity.endsWith(id)) continue;
      this.next = place + 1;
      this.taken += 1;
      return this.eventOf(id, row);
    }
    return null;
  }

  private eventOf(
    id: string,
    { stream, type, schemaVersion, text, traceparent, nthPublic }: EventRow,
  ): OutboxEvent {
    return {
      id,
      streamId: stream.streamId,
      type,
      schemaVersion,
      json: text,
      traceparent,
      occurredAtMs: this.occurredAtMs,
      sequence: String((this.publicBases?.[stream.place - 1] ?? 0) + nthPublic!),
    };
  }
}

type Transaction = { readonly tx: bigint; readonly appends: Kept[] };

/**
 * Public events that this process has appended lately, so that its relay need not read back what it has just written. Only
 * content comes from here: which rows are there and where they stand, the relay asks the database. A process whose relay
 * stands by keeps nothing.
 */
export class RecentAppends {
  /** By xmin. */
  private readonly transactions = new Map<string, Transaction>();
  private characters = 0;
  private wanted = false;

  /** @param maxCharacters of JSON that are kept (16 Mi) */
  constructor(private readonly maxCharacters = MAX_CHARACTERS) {}

  /** Somebody relays from now on. What was kept before may be of a server that has since forgotten it. */
  begin(): void {
    this.end();
    this.wanted = true;
  }

  /** Nobody relays here any more. */
  end(): void {
    this.wanted = false;
    this.transactions.clear();
    this.characters = 0;
  }

  get empty(): boolean {
    return this.transactions.size === 0;
  }

  /** Keeps what a transaction has appended, which may still come to nothing. */
  note(batch: AppendBatch, { tx, xmin, publicBases }: StreamsGrown): void {
    if (!this.wanted) return;
    const append = new Kept(batch, publicBases);
    if (append.spent) return;
    const known = this.transactions.get(xmin);
    if (known) known.appends.push(append);
    else this.transactions.set(xmin, { tx: BigInt(tx), appends: [append] });
    this.characters += append.characters;
    for (const oldest of this.transactions.keys()) {
      if (this.characters <= this.maxCharacters) return;
      this.forget(oldest);
    }
  }

  /**
   * Gives events up.
   * @param identities of rows, each as ROW_IDENTITY, and none twice
   * @returns their events in the same order; null unless all of them are here
   */
  take(identities: readonly string[]): readonly OutboxEvent[] | null {
    const found: OutboxEvent[] = [];
    for (const identity of identities) {
      const event = this.takeOne(identity);
      if (!event) return null;
      found.push(event);
    }
    return found;
  }

  /** All events of lower transactions are published: what is still kept of these came to nothing, or was read. */
  passed(tx: string): void {
    const place = BigInt(tx);
    for (const [xmin, transaction] of this.transactions) if (transaction.tx < place) this.forget(xmin);
  }

  private takeOne(identity: string): OutboxEvent | null {
    const at = identity.indexOf(' ');
    const xmin = identity.slice(0, at);
    const transaction = this.transactions.get(xmin);
    if (!transaction) return null;
    for (const append of transaction.appends) {
      const event = append.take(identity, at + 1);
      if (!event) continue;
      if (transaction.appends.every(({ spent }) => spent)) this.forget(xmin);
      return event;
    }
    return null;
  }

  private forget(xmin: string): void {
    for (const { characters } of this.transactions.get(xmin)!.appends) this.characters -= characters;
    this.transactions.delete(xmin);
  }
}
