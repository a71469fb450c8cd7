/** An item takes so many bits; its rank is above them. */
const ITEM_BITS = 29;
const ITEM_MASK = 2 ** ITEM_BITS - 1;
const END = -1;
const FIRST_ROOM = 1_024;

/** What kind of thing an item is: of equal keys, the lower comes first. */
export type Rank = 0 | 1 | 2;
const LAST_ITEMS = 2 << ITEM_BITS;

type Before = (a: number, b: number) => boolean;
const byItem: Before = (a, b) => a < b;

/**
 * What a best-first search has still to look at, highest key first. Of equal keys the lower rank comes first, then the lower
 * item; of the last rank, what `before` says.
 *
 * Items come in batches. Each is kept sorted, and only the first that is left of it is in the heap: of most batches few are
 * ever taken out. A frontier can be used for one search after another: it keeps its memory.
 */
export class Frontier {
  /** Batch by batch, best first, each with an END behind it; what lies beyond `used` is of an earlier search. */
  private keys = new Float64Array(FIRST_ROOM);
  private items = new Int32Array(FIRST_ROOM);
  private used = 0;
  /** Where the first that is left of a batch is. */
  private readonly heap: number[] = [];
  private batch = 0;
  private before: Before = byItem;

  /** Forgets everything. @param before whether the first of two items of the last rank comes first */
  clear(before: Before = byItem): void {
    this.used = 0;
    this.batch = 0;
    this.heap.length = 0;
    this.before = before;
  }

  /** How many items it has had memory for. */
  get room(): number {
    return this.keys.length;
  }

  get size(): number {
    return this.heap.length;
  }

  /** Key of the first. */
  get key(): number {
    return this.keys[this.heap[0]!]!;
  }

  get rank(): number {
    return this.items[this.heap[0]!]! >> ITEM_BITS;
  }

  /**
   * Puts one more into the batch that is being made.
   * @param from where its key is, at `index`: a number that is handed over by itself is put on the heap first
   * @param item below 2^29
   */
  add(from: Float64Array, index: number, rank: Rank, item: number): void {
    const key = from[index]!;
    const ranked = (rank << ITEM_BITS) | item;
    let at = this.used;
    this.extend();
    const { keys, items } = this;
    for (; at > this.batch && this.precedes(key, ranked, at - 1); at -= 1) {
      keys[at] = keys[at - 1]!;
      items[at] = items[at - 1]!;
    }
    keys[at] = key;
    items[at] = ranked;
  }

  /** The batch is complete: what is in it can be taken out, and the next one is begun. */
  close(): void {
    const { heap, batch } = this;
    if (this.used === batch) return;
    this.extend();
    this.items[this.used - 1] = END;
    this.batch = this.used;
    let at = heap.push(batch) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.comesFirst(batch, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = batch;
  }

  /** Makes room for one more. */
  private extend(): void {
    const { keys, items } = this;
    if (this.used === keys.length) {
      this.keys = new Float64Array(2 * keys.length);
      this.keys.set(keys);
      this.items = new Int32Array(2 * items.length);
      this.items.set(items);
    }
    this.used += 1;
  }

  /** Takes the first out. */
  pop(): number {
    const { heap, items } = this;
    const first = heap[0]!;
    if (items[first + 1] !== END) this.sink(first + 1);
    else {
      const last = heap.pop()!;
      if (heap.length > 0) this.sink(last);
    }
    return items[first]! & ITEM_MASK;
  }

  /** Puts another in place of the top of the heap. */
  private sink(moved: number): void {
    const { heap } = this;
    const size = heap.length;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && this.comesFirst(heap[child + 1]!, heap[child]!)) child += 1;
      if (this.comesFirst(moved, heap[child]!)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = moved;
  }

  private comesFirst(a: number, b: number): boolean {
    return this.precedes(this.keys[a]!, this.items[a]!, b);
  }

  private precedes(key: number, item: number, at: number): boolean {
    const otherKey = this.keys[at]!;
    if (key !== otherKey) return key > otherKey;
    const other = this.items[at]!;
    return item >= LAST_ITEMS && other >= LAST_ITEMS
      ? this.before(item & ITEM_MASK, other & ITEM_MASK)
      : item < other;
  }
}
