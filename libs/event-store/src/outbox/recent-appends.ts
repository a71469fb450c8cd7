import type { AppendBatch, EventRow } from '../append/batch.ts';
import type { StreamsGrown } from '../append/statements.ts';
import type { OutboxEvent } from './outbox-event.ts';

/** Characters of JSON that are kept, the least recent given up first: some seconds at full speed. */
const MAX_CHARACTERS = 16 * 1_024 * 1_024;

/**
 * Public rows of one tx that were made under one xmin: by a transaction, or by what it did under one savepoint. They are all
 * there or none is.
 */
export type Run = { readonly tx: string; readonly xmin: string; readonly events: number };

/** Events of one append, in the order in which their rows were inserted. */
type Part = {
  readonly rows: readonly EventRow[];
  readonly occurredAtMs: number;
  readonly publicBases: readonly number[] | null;
};

class Kept {
  events = 0;
  characters = 0;
  private readonly parts: Part[] = [];

  constructor(
    readonly tx: bigint,
    readonly xmin: string,
  ) {}

  add(part: Part): void {
    this.parts.push(part);
    this.events += part.rows.length;
    for (const { text } of part.rows) this.characters += text.length;
  }

  all(): OutboxEvent[] {
    return this.parts.flatMap(({ rows, occurredAtMs, publicBases }) =>
      rows.map(({ stream, type, schemaVersion, text, traceparent, nth, nthPublic }) => ({
        id: `${stream.streamId}@${stream.expected + nth}`,
        streamId: stream.streamId,
        type,
        schemaVersion,
        json: text,
        traceparent,
        occurredAtMs,
        sequence: String((publicBases?.[stream.place - 1] ?? 0) + nthPublic!),
      })),
    );
  }
}

/** Nearly always all of them have one. */
const byTx = (rows: readonly EventRow[], { tx, txs }: StreamsGrown): ReadonlyMap<string, EventRow[]> => {
  const found = new Map<string, EventRow[]>();
  for (const row of rows) {
    const own = txs?.[row.stream.place - 1] ?? tx;
    const known = found.get(own);
    if (known) known.push(row);
    else found.set(own, [row]);
  }
  return found;
};

/**
 * Public events that this process has appended lately, so that its relay need not read back what it has just written. Only
 * content comes from here: which rows are there and where they stand, the relay asks the database. That their number tells
 * which they are rests on xmin: what was inserted under one is there as a whole or not at all, whatever came to nothing, so as
 * many as were kept are those that were kept. A process whose relay stands by keeps nothing.
 */
export class RecentAppends {
  /** By tx; of what has several xmin, which is rare, nothing is known but that. */
  private readonly kept = new Map<string, Kept | 'mixed'>();
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
    this.kept.clear();
    this.characters = 0;
  }

  get empty(): boolean {
    return this.kept.size === 0;
  }

  /** Keeps what a transaction has appended, which may still come to nothing. */
  note(batch: AppendBatch, grown: StreamsGrown): void {
    if (!this.wanted) return;
    const rows = batch.events.filter(({ nthPublic }) => nthPublic !== null);
    const { occurredAtMs } = batch;
    const { publicBases } = grown;
    for (const [tx, own] of byTx(rows, grown)) {
      this.keep(tx, grown.xmin, { rows: own, occurredAtMs, publicBases });
    }
    for (const oldest of this.kept.keys()) {
      if (this.characters <= this.maxCharacters) return;
      this.forget(oldest);
    }
  }

  /**
   * What may come next: the lowest transactions, as many as have no more than so many events, and at least one.
   * @returns the last of them and how many events they have; null when nothing is kept
   */
  lowest(atMost: number): { readonly upTo: string; readonly events: number } | null {
    let events = 0;
    let upTo: bigint | null = null;
    for (const one of this.ascending()) {
      if (upTo !== null && events + one.events > atMost) break;
      events += one.events;
      upTo = one.tx;
    }
    return upTo === null ? null : { upTo: String(upTo), events };
  }

  /**
   * Gives events up.
   * @param run all that comes next of its tx
   * @returns its events, in the order of their places; null unless they are here
   */
  take({ tx, xmin, events }: Run): readonly OutboxEvent[] | null {
    const known = this.kept.get(tx);
    if (known === undefined || known === 'mixed' || known.xmin !== xmin || known.events !== events)
      return null;
    this.forget(tx);
    return known.all();
  }

  /**
   * The relay has come as far as this transaction: all of lower ones is published, or came to nothing, and some of this one. So
   * what is left of it would no longer be all that was kept.
   */
  passed(tx: string): void {
    const place = BigInt(tx);
    for (const known of this.kept.keys()) if (BigInt(known) <= place) this.forget(known);
  }

  private keep(tx: string, xmin: string, part: Part): void {
    const known = this.kept.get(tx);
    if (known === 'mixed') return;
    if (known && known.xmin !== xmin) {
      this.forget(tx);
      this.kept.set(tx, 'mixed');
      return;
    }
    const own = known ?? new Kept(BigInt(tx), xmin);
    this.kept.set(tx, own);
    this.characters -= own.characters;
    own.add(part);
    this.characters += own.characters;
  }

  private ascending(): readonly Kept[] {
    const known = [...this.kept.values()].filter((one) => one !== 'mixed');
    return known.sort((a, b) => (a.tx < b.tx ? -1 : 1));
  }

  private forget(tx: string): void {
    const known = this.kept.get(tx);
    if (known instanceof Kept) this.characters -= known.characters;
    this.kept.delete(tx);
  }
}
