/**
 * What a best-first search has still to look at, highest key first. Of equal keys the lower rank comes first, then what
 * `before` says.
 */
export class Frontier {
  private readonly keys: number[] = [];
  private readonly ranks: number[] = [];
  private readonly items: number[] = [];

  /** @param before of two items of equal key and rank (the third argument): whether the first comes first */
  constructor(private readonly before: (a: number, b: number, rank: number) => boolean = (a, b) => a < b) {}

  get size(): number {
    return this.keys.length;
  }

  /** Key of the first. */
  get key(): number {
    return this.keys[0]!;
  }

  get rank(): number {
    return this.ranks[0]!;
  }

  push(key: number, rank: number, item: number): void {
    let at = this.keys.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.precedes(key, rank, item, parent)) break;
      this.move(parent, at);
      at = parent;
    }
    this.put(at, key, rank, item);
  }

  /** Takes the first out. */
  pop(): number {
    const first = this.items[0]!;
    const key = this.keys.pop()!;
    const rank = this.ranks.pop()!;
    const item = this.items.pop()!;
    const size = this.keys.length;
    if (size === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      const right = child + 1;
      if (right < size && this.precedes(this.keys[right]!, this.ranks[right]!, this.items[right]!, child)) {
        child = right;
      }
      if (this.precedes(key, rank, item, child)) break;
      this.move(child, at);
      at = child;
    }
    this.put(at, key, rank, item);
    return first;
  }

  private precedes(key: number, rank: number, item: number, at: number): boolean {
    const other = this.keys[at]!;
    if (key !== other) return key > other;
    const otherRank = this.ranks[at]!;
    return rank !== otherRank ? rank < otherRank : this.before(item, this.items[at]!, rank);
  }

  private move(from: number, to: number): void {
    this.put(to, this.keys[from]!, this.ranks[from]!, this.items[from]!);
  }

  private put(at: number, key: number, rank: number, item: number): void {
    this.keys[at] = key;
    this.ranks[at] = rank;
    this.items[at] = item;
  }
}
