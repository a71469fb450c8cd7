/** Items of a rank are below this. */
const MOST_ITEMS = 2 ** 29;
const END = -1;

/** What kind of thing an item is: of equal keys, the lower comes first. */
export type Rank = 0 | 1 | 2;
const LAST_RANK = 2;

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
  private readonly keys: number[] = [];
  private readonly items: number[] = [];
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
    return Math.floor(this.items[this.heap[0]!]! / MOST_ITEMS);
  }

  /** Puts one more into the batch that is being made. @param item below 2^29 */
  add(key: number, rank: Rank, item: number): void {
    const { keys, items } = this;
    const ranked = rank * MOST_ITEMS + item;
    let at = this.used;
    this.put(key, ranked);
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
    this.put(END, END);
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

  private put(key: number, item: number): void {
    const { keys, items, used } = this;
    if (used < keys.length) {
      keys[used] = key;
      items[used] = item;
    } else {
      keys.push(key);
      items.push(item);
    }
    this.used = used + 1;
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
    return items[first]! % MOST_ITEMS;
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
    const first = LAST_RANK * MOST_ITEMS;
    return item >= first && other >= first ? this.before(item - first, other - first) : item < other;
  }
}
