import { FIELDS, SPREAD, WORDS } from './layout.ts';

/** Entries of a node at most; more make its box too wide, fewer the tree too deep. */
const FANOUT = 32;
const NONE = -1;
const FIRST_CAPACITY = 64;

const grown = <A extends Float64Array | Int32Array | Uint32Array | Uint8Array>(old: A, length: number): A => {
  const larger = new (old.constructor as new (length: number) => A)(length);
  larger.set(old);
  return larger;
};

/** Rows of fields and bits, one for each slot or node. */
class Rows {
  fields = new Float64Array(FIRST_CAPACITY * FIELDS);
  bits = new Uint32Array(FIRST_CAPACITY * WORDS);
  private readonly unused: number[] = [];
  private used = 0;

  get capacity(): number {
    return this.bits.length / WORDS;
  }

  /** The number of a row that nobody uses. */
  take(): number {
    const again = this.unused.pop();
    if (again !== undefined) return again;
    if (this.used === this.capacity) {
      this.fields = grown(this.fields, this.used * 2 * FIELDS);
      this.bits = grown(this.bits, this.used * 2 * WORDS);
    }
    this.used += 1;
    return this.used - 1;
  }

  giveBack(row: number): void {
    this.unused.push(row);
  }
}

/**
 * Trees of boxes over rows of columns (an R-tree, one tree for each root): what lies together in price, place and
 * reliability lies under the same node, and the box of a node bounds everything below it. A change of a row costs
 * one walk to the root; all trees share their columns.
 */
export class BoxTree {
  readonly slots = new Rows();
  readonly nodes = new Rows();
  /** Leaf of a slot, parent of a node; -1 for none. */
  private leafOf = new Int32Array(FIRST_CAPACITY).fill(NONE);
  private parentOf = new Int32Array(FIRST_CAPACITY).fill(NONE);
  /** 0: its entries are slots. */
  private level = new Uint8Array(FIRST_CAPACITY);
  private count = new Uint8Array(FIRST_CAPACITY);
  private entries = new Int32Array(FIRST_CAPACITY * FANOUT);
  /** What the tree of a node was opened for. */
  private shelf = new Int32Array(FIRST_CAPACITY);

  isLeaf(node: number): boolean {
    return this.level[node] === 0;
  }

  size(node: number): number {
    return this.count[node]!;
  }

  entry(node: number, at: number): number {
    return this.entries[node * FANOUT + at]!;
  }

  shelfOf(node: number): number {
    return this.shelf[node]!;
  }

  takeSlot(): number {
    const slot = this.slots.take();
    if (slot >= this.leafOf.length) this.leafOf = grown(this.leafOf, this.slots.capacity);
    this.leafOf[slot] = NONE;
    return slot;
  }

  private takeNode(level: number, shelf: number): number {
    const node = this.nodes.take();
    if (node >= this.count.length) {
      const { capacity } = this.nodes;
      this.parentOf = grown(this.parentOf, capacity);
      this.level = grown(this.level, capacity);
      this.count = grown(this.count, capacity);
      this.shelf = grown(this.shelf, capacity);
      this.entries = grown(this.entries, capacity * FANOUT);
    }
    this.parentOf[node] = NONE;
    this.level[node] = level;
    this.count[node] = 0;
    this.shelf[node] = shelf;
    this.nodes.fields.fill(Infinity, node * FIELDS, (node + 1) * FIELDS);
    this.nodes.bits.fill(0, node * WORDS, (node + 1) * WORDS);
    return node;
  }

  /**
   * @param root of the tree, -1 when it is empty
   * @returns the root from now on
   */
  insert(root: number, slot: number, shelf: number): number {
    let top = root === NONE ? this.takeNode(0, shelf) : root;
    if (this.count[top] === FANOUT) {
      const above = this.takeNode(this.level[top]! + 1, shelf);
      this.adopt(above, top);
      this.split(top);
      top = above;
    }
    let node = top;
    while (this.level[node]! > 0) {
      const child = this.nearestChild(node, slot);
      // Of the halves only: another child may be nearer now and full as well.
      node = this.count[child] === FANOUT ? this.nearerOf([child, this.split(child)], slot) : child;
    }
    this.entries[node * FANOUT + this.count[node]!] = slot;
    this.count[node]! += 1;
    this.leafOf[slot] = node;
    for (let up = node; up !== NONE; up = this.parentOf[up]!) this.widen(up, this.slots, slot);
    return top;
  }

  /** @returns the root from now on, -1 when nothing is left */
  remove(root: number, slot: number): number {
    let node = this.leafOf[slot]!;
    this.drop(node, slot);
    this.leafOf[slot] = NONE;
    this.slots.giveBack(slot);
    while (this.count[node] === 0) {
      const parent = this.parentOf[node]!;
      this.nodes.giveBack(node);
      if (parent === NONE) return NONE;
      this.drop(parent, node);
      node = parent;
    }
    this.tighten(node);
    let top = root;
    while (this.level[top]! > 0 && this.count[top] === 1) {
      const [only, above] = [this.entries[top * FANOUT]!, top];
      this.parentOf[only] = NONE;
      this.nodes.giveBack(above);
      top = only;
    }
    return top;
  }

  /** The row of the slot has changed where it lies. */
  changed(slot: number): void {
    this.tighten(this.leafOf[slot]!);
  }

  private drop(node: number, entry: number): void {
    const first = node * FANOUT;
    const last = first + this.count[node]! - 1;
    const at = this.entries.indexOf(entry, first);
    this.entries[at] = this.entries[last]!;
    this.count[node]! -= 1;
  }

  private adopt(parent: number, child: number): void {
    this.entries[parent * FANOUT + this.count[parent]!] = child;
    this.count[parent]! += 1;
    this.parentOf[child] = parent;
    this.widen(parent, this.nodes, child);
  }

  private widen(node: number, rows: Rows, row: number): void {
    const { fields, bits } = this.nodes;
    for (let i = 0, to = node * FIELDS, from = row * FIELDS; i < FIELDS; i += 1) {
      const value = rows.fields[from + i]!;
      if (value < fields[to + i]!) fields[to + i] = value;
    }
    for (let i = 0; i < WORDS; i += 1) bits[node * WORDS + i]! |= rows.bits[row * WORDS + i]!;
  }

  /** Works a node's box out anew, and those above it as far as anything changes. */
  private tighten(from: number): void {
    const before = new Float64Array(FIELDS);
    const beforeBits = new Uint32Array(WORDS);
    for (let node = from; node !== NONE; node = this.parentOf[node]!) {
      const fields = this.nodes.fields.subarray(node * FIELDS, (node + 1) * FIELDS);
      const bits = this.nodes.bits.subarray(node * WORDS, (node + 1) * WORDS);
      before.set(fields);
      beforeBits.set(bits);
      this.enclose(node);
      let same = true;
      for (let i = 0; same && i < FIELDS; i += 1) same = before[i] === fields[i];
      for (let i = 0; same && i < WORDS; i += 1) same = beforeBits[i] === bits[i];
      if (same) return;
    }
  }

  private enclose(node: number): void {
    this.nodes.fields.fill(Infinity, node * FIELDS, (node + 1) * FIELDS);
    this.nodes.bits.fill(0, node * WORDS, (node + 1) * WORDS);
    const rows = this.level[node] === 0 ? this.slots : this.nodes;
    for (let at = 0; at < this.count[node]!; at += 1) this.widen(node, rows, this.entry(node, at));
  }

  private nearestChild(node: number, slot: number): number {
    const first = node * FANOUT;
    return this.nearerOf(this.entries.subarray(first, first + this.count[node]!), slot);
  }

  /** The node whose box grows least; of equal ones, the emptier. */
  private nearerOf(nodes: ArrayLike<number>, slot: number): number {
    const box = this.nodes.fields;
    const row = this.slots.fields;
    const at = slot * FIELDS;
    let best = NONE;
    let least = Infinity;
    for (let i = 0; i < nodes.length; i += 1) {
      const node = nodes[i]!;
      let growth = 0;
      for (const [low, high, worth] of SPREAD) {
        growth += worth * Math.max(0, box[node * FIELDS + low]! - row[at + low]!);
        growth += worth * Math.max(0, box[node * FIELDS + high]! - row[at + high]!);
      }
      if (growth < least || (growth === least && this.count[node]! < this.count[best]!)) {
        least = growth;
        best = node;
      }
    }
    return best;
  }

  /**
   * Halves a full node along what its entries differ in most; its parent has room.
   * @returns the other half
   */
  private split(node: number): number {
    const leaf = this.level[node] === 0;
    const rows = leaf ? this.slots : this.nodes;
    const all = Array.from({ length: FANOUT }, (_, at) => this.entry(node, at));
    const [low, high] = this.widest(rows, all);
    const middle = (row: number): number =>
      rows.fields[row * FIELDS + low]! - rows.fields[row * FIELDS + high]!;
    all.sort((a, b) => middle(a) - middle(b) || a - b);
    const other = this.takeNode(this.level[node]!, this.shelf[node]!);
    this.count[node] = 0;
    all.forEach((entry, at) => {
      const into = at < FANOUT / 2 ? node : other;
      this.entries[into * FANOUT + this.count[into]!] = entry;
      this.count[into]! += 1;
      if (leaf) this.leafOf[entry] = into;
      else this.parentOf[entry] = into;
    });
    this.enclose(node);
    this.enclose(other);
    this.adopt(this.parentOf[node]!, other);
    return other;
  }

  private widest(rows: Rows, all: readonly number[]): readonly [low: number, high: number] {
    let best = SPREAD[0]!;
    let most = -1;
    for (const spread of SPREAD) {
      const [low, high, worth] = spread;
      let least = Infinity;
      let greatest = -Infinity;
      for (const row of all) {
        least = Math.min(least, rows.fields[row * FIELDS + low]!);
        greatest = Math.max(greatest, -rows.fields[row * FIELDS + high]!);
      }
      const width = worth * (greatest - least);
      if (width > most) {
        most = width;
        best = spread;
      }
    }
    return [best[0], best[1]];
  }
}
