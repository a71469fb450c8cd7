import { grouped } from './grouping.ts';
import { FANOUT, FIELDS, SPREAD, WORDS } from './layout.ts';

const NONE = -1;
const FIRST_CAPACITY = 64;
/** Above all levels of a tree. */
const ANCHOR_LEVEL = 255;
const LOW = SPREAD.map(([low]) => low);
const HIGH = SPREAD.map(([, high]) => high);
const WORTH = SPREAD.map(([, , worth]) => worth);

const grown = <A extends Float32Array | Int32Array | Uint32Array | Uint8Array>(old: A, length: number): A => {
  const larger = new (old.constructor as new (length: number) => A)(length);
  larger.set(old);
  return larger;
};

/** One offer's or one box's fields, each rounded by `notAbove`, and bits. */
export type Row = { readonly fields: Float32Array; readonly bits: Uint32Array };

export const emptyRow = (): Row => ({
  fields: new Float32Array(FIELDS).fill(Infinity),
  bits: new Uint32Array(WORDS),
});

/**
 * Trees of boxes (R-trees, each under an anchor of its own, over shared columns): what lies together in price, place and reliability lies
 * under the same node. An entry of a leaf is a slot, that is an offer; an entry of another node is a node below it, and its
 * row is the box of everything there. A change costs one walk to the root.
 */
export class BoxTree {
  /** See FANOUT for where what lies. */
  fields = new Float32Array(FIRST_CAPACITY * FIELDS * FANOUT);
  bits = new Uint32Array(FIRST_CAPACITY * WORDS * FANOUT);
  private entries = new Int32Array(FIRST_CAPACITY * FANOUT);
  private count = new Uint8Array(FIRST_CAPACITY);
  /** 0: its entries are slots. */
  private level = new Uint8Array(FIRST_CAPACITY);
  private shelf = new Int32Array(FIRST_CAPACITY);
  /** The node that a node is an entry of, and which; -1 for an anchor. */
  private nodeParent = new Int32Array(FIRST_CAPACITY);
  private nodePlace = new Uint8Array(FIRST_CAPACITY);
  private slotParent = new Int32Array(FIRST_CAPACITY);
  private slotPlace = new Uint8Array(FIRST_CAPACITY);
  private readonly unusedNodes: number[] = [];
  private readonly unusedSlots: number[] = [];
  private nodes = 0;
  private slots = 0;
  private readonly scratch = emptyRow();

  isLeaf(node: number): boolean {
    return this.level[node] === 0;
  }

  size(node: number): number {
    return this.count[node]!;
  }

  entry(node: number, place: number): number {
    return this.entries[node * FANOUT + place]!;
  }

  /** What the tree of a node was opened for. */
  shelfOf(node: number): number {
    return this.shelf[node]!;
  }

  leafOf(slot: number): number {
    return this.slotParent[slot]!;
  }

  placeOf(slot: number): number {
    return this.slotPlace[slot]!;
  }

  /** The number of a slot that nobody uses. */
  takeSlot(): number {
    const again = this.unusedSlots.pop();
    if (again !== undefined) return again;
    if (this.slots === this.slotParent.length) {
      this.slotParent = grown(this.slotParent, 2 * this.slots);
      this.slotPlace = grown(this.slotPlace, 2 * this.slots);
    }
    this.slots += 1;
    return this.slots - 1;
  }

  private takeNode(level: number, shelf: number): number {
    const node = this.unusedNodes.pop() ?? this.nodes;
    if (node === this.count.length) {
      const capacity = 2 * node;
      this.fields = grown(this.fields, capacity * FIELDS * FANOUT);
      this.bits = grown(this.bits, capacity * WORDS * FANOUT);
      this.entries = grown(this.entries, capacity * FANOUT);
      this.count = grown(this.count, capacity);
      this.level = grown(this.level, capacity);
      this.shelf = grown(this.shelf, capacity);
      this.nodeParent = grown(this.nodeParent, capacity);
      this.nodePlace = grown(this.nodePlace, capacity);
    }
    if (node === this.nodes) this.nodes += 1;
    this.nodeParent[node] = NONE;
    this.level[node] = level;
    this.count[node] = 0;
    this.shelf[node] = shelf;
    return node;
  }

  /**
   * Opens a tree, empty.
   * @returns its anchor: a node that stays what it is, with one entry, the tree's root, or none
   */
  open(shelf: number): number {
    return this.takeNode(ANCHOR_LEVEL, shelf);
  }

  insert(anchor: number, slot: number, row: Row): void {
    const shelf = this.shelf[anchor]!;
    if (this.count[anchor] === 0) {
      this.append(anchor, this.takeNode(0, shelf), row);
    } else if (this.count[this.entry(anchor, 0)] === FANOUT) {
      const top = this.entry(anchor, 0);
      const above = this.takeNode(this.level[top]! + 1, shelf);
      this.append(above, top, this.boxOf(top));
      this.settleAt(anchor, 0, above);
      this.split(top);
    }
    let node = anchor;
    let place = 0;
    for (;;) {
      this.widen(node, place, row);
      node = this.entry(node, place);
      if (this.level[node] === 0) break;
      place = this.nearest(node, row);
      const child = this.entry(node, place);
      if (this.count[child] !== FANOUT) continue;
      const half = this.split(child);
      const other = this.nodePlace[half]!;
      // Of the halves only: another child may be nearer now and full as well.
      if (this.growth(node, other, row) < this.growth(node, place, row)) place = other;
    }
    this.append(node, slot, row);
  }

  remove(anchor: number, slot: number): void {
    let node = this.slotParent[slot]!;
    this.drop(node, this.slotPlace[slot]!);
    this.unusedSlots.push(slot);
    while (this.count[node] === 0 && node !== anchor) {
      const parent = this.nodeParent[node]!;
      this.unusedNodes.push(node);
      this.drop(parent, this.nodePlace[node]!);
      node = parent;
    }
    if (node === anchor) return;
    this.tighten(node);
    let top = this.entry(anchor, 0);
    while (this.level[top]! > 0 && this.count[top] === 1) {
      this.unusedNodes.push(top);
      top = this.entry(top, 0);
      this.settleAt(anchor, 0, top);
    }
  }

  /** Every slot of a tree. */
  slotsOf(anchor: number): number[] {
    const slots: number[] = [];
    this.visit(anchor, (node) => {
      if (this.level[node] !== 0) return;
      for (let place = 0; place < this.count[node]!; place += 1) slots.push(this.entry(node, place));
    });
    return slots;
  }

  private visit(anchor: number, onNode: (node: number) => void): void {
    const stack = [anchor];
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      if (this.level[node] !== 0) {
        for (let place = 0; place < this.count[node]!; place += 1) stack.push(this.entry(node, place));
      }
      onNode(node);
    }
  }

  /**
   * Makes a tree anew of these slots, in place of what it was. What lies together is then closer together than inserts one by
   * one leave it, so a search looks into fewer nodes.
   * @param rowOf a slot's row; good until the next is asked for
   */
  load(anchor: number, slots: readonly number[], rowOf: (slot: number) => Row): void {
    this.visit(anchor, (node) => {
      if (node !== anchor) this.unusedNodes.push(node);
    });
    this.count[anchor] = 0;
    if (slots.length === 0) return;
    const positions = SPREAD.map(() => new Float32Array(slots.length));
    slots.forEach((slot, item) => {
      const { fields } = rowOf(slot);
      positions.forEach((values, direction) => (values[item] = fields[LOW[direction]!]!));
    });
    let level = 0;
    while (FANOUT ** (level + 1) < slots.length) level += 1;
    const build = (items: readonly number[], at: number): number => {
      const node = this.takeNode(at, this.shelf[anchor]!);
      if (at === 0) for (const item of items) this.append(node, slots[item]!, rowOf(slots[item]!));
      else {
        for (const group of grouped(items, Math.ceil(items.length / FANOUT ** at), positions)) {
          const child = build(group, at - 1);
          this.append(node, child, this.boxOf(child));
        }
      }
      return node;
    };
    const top = build(
      slots.map((_, item) => item),
      level,
    );
    this.append(anchor, top, this.boxOf(top));
  }

  /** Puts another row in place of a slot's. */
  replace(slot: number, row: Row): void {
    const leaf = this.slotParent[slot]!;
    this.write(leaf, this.slotPlace[slot]!, row);
    this.tighten(leaf);
  }

  /** A slot's row. */
  read(slot: number, row: Row): void {
    this.copyOut(this.slotParent[slot]!, this.slotPlace[slot]!, row);
  }

  private copyOut(node: number, place: number, { fields, bits }: Row): void {
    for (let i = 0, at = node * FIELDS * FANOUT + place; i < FIELDS; i += 1, at += FANOUT)
      fields[i] = this.fields[at]!;
    for (let i = 0, at = node * WORDS * FANOUT + place; i < WORDS; i += 1, at += FANOUT)
      bits[i] = this.bits[at]!;
  }

  private write(node: number, place: number, { fields, bits }: Row): void {
    for (let i = 0, at = node * FIELDS * FANOUT + place; i < FIELDS; i += 1, at += FANOUT)
      this.fields[at] = fields[i]!;
    for (let i = 0, at = node * WORDS * FANOUT + place; i < WORDS; i += 1, at += FANOUT)
      this.bits[at] = bits[i]!;
  }

  private widen(node: number, place: number, { fields, bits }: Row): void {
    for (let i = 0, at = node * FIELDS * FANOUT + place; i < FIELDS; i += 1, at += FANOUT) {
      if (fields[i]! < this.fields[at]!) this.fields[at] = fields[i]!;
    }
    for (let i = 0, at = node * WORDS * FANOUT + place; i < WORDS; i += 1, at += FANOUT)
      this.bits[at]! |= bits[i]!;
  }

  /** The box of all entries of a node; good until the next is asked for. */
  private boxOf(node: number): Row {
    const { fields, bits } = this.scratch;
    const count = this.count[node]!;
    for (let i = 0, at = node * FIELDS * FANOUT; i < FIELDS; i += 1, at += FANOUT) {
      let least = Infinity;
      for (let place = 0; place < count; place += 1) {
        const value = this.fields[at + place]!;
        if (value < least) least = value;
      }
      fields[i] = least;
    }
    for (let i = 0, at = node * WORDS * FANOUT; i < WORDS; i += 1, at += FANOUT) {
      let all = 0;
      for (let place = 0; place < count; place += 1) all |= this.bits[at + place]!;
      bits[i] = all;
    }
    return this.scratch;
  }

  private settleAt(node: number, place: number, entry: number): void {
    this.entries[node * FANOUT + place] = entry;
    if (this.level[node] === 0) {
      this.slotParent[entry] = node;
      this.slotPlace[entry] = place;
    } else {
      this.nodeParent[entry] = node;
      this.nodePlace[entry] = place;
    }
  }

  private append(node: number, entry: number, row: Row): void {
    const place = this.count[node]!;
    this.count[node] = place + 1;
    this.settleAt(node, place, entry);
    this.write(node, place, row);
  }

  /** Takes an entry out; the last one takes its place. */
  private drop(node: number, place: number): void {
    const last = this.count[node]! - 1;
    this.count[node] = last;
    if (place === last) return;
    const moved = emptyRow();
    this.copyOut(node, last, moved);
    this.write(node, place, moved);
    this.settleAt(node, place, this.entry(node, last));
  }

  /** Works the boxes above a node out anew, as far as anything changes. */
  private tighten(from: number): void {
    for (let node = from, parent = this.nodeParent[from]!; parent !== NONE; parent = this.nodeParent[node]!) {
      const place = this.nodePlace[node]!;
      const box = this.boxOf(node);
      let same = true;
      for (let i = 0, at = parent * FIELDS * FANOUT + place; same && i < FIELDS; i += 1, at += FANOUT)
        same = this.fields[at] === box.fields[i];
      for (let i = 0, at = parent * WORDS * FANOUT + place; same && i < WORDS; i += 1, at += FANOUT)
        same = this.bits[at] === box.bits[i];
      if (same) return;
      this.write(parent, place, box);
      node = parent;
    }
  }

  /** How much wider an entry's box would become. */
  private growth(node: number, place: number, { fields }: Row): number {
    const at = node * FIELDS * FANOUT + place;
    let growth = 0;
    for (let d = 0; d < WORTH.length; d += 1) {
      const below = this.fields[at + LOW[d]! * FANOUT]! - fields[LOW[d]!]!;
      const above = this.fields[at + HIGH[d]! * FANOUT]! - fields[HIGH[d]!]!;
      if (below > 0) growth += WORTH[d]! * below;
      if (above > 0) growth += WORTH[d]! * above;
    }
    return growth;
  }

  /** Place of the child whose box grows least; of equal ones, the emptier. */
  private nearest(node: number, row: Row): number {
    let best = 0;
    let least = Infinity;
    for (let place = 0; place < this.count[node]!; place += 1) {
      const growth = this.growth(node, place, row);
      const emptier = this.count[this.entry(node, place)]! < this.count[this.entry(node, best)]!;
      if (growth > least || (growth === least && !emptier)) continue;
      least = growth;
      best = place;
    }
    return best;
  }

  /**
   * Halves a full node along what its entries differ in most; its parent has room.
   * @returns the other half
   */
  private split(node: number): number {
    const other = this.takeNode(this.level[node]!, this.shelf[node]!);
    const at = node * FIELDS * FANOUT;
    const [low, high] = this.widest(node);
    const middle = (place: number): number =>
      this.fields[at + low * FANOUT + place]! - this.fields[at + high * FANOUT + place]!;
    const order = Array.from({ length: FANOUT }, (_, place) => place).sort(
      (a, b) => middle(a) - middle(b) || a - b,
    );
    const all = order.map((place) => {
      const row = emptyRow();
      this.copyOut(node, place, row);
      return { entry: this.entry(node, place), row };
    });
    this.count[node] = 0;
    all.forEach(({ entry, row }, i) => this.append(i < FANOUT / 2 ? node : other, entry, row));
    const parent = this.nodeParent[node]!;
    this.write(parent, this.nodePlace[node]!, this.boxOf(node));
    this.append(parent, other, this.boxOf(other));
    return other;
  }

  private widest(node: number): readonly [low: number, high: number] {
    const at = node * FIELDS * FANOUT;
    let best = SPREAD[0]!;
    let most = -1;
    for (const spread of SPREAD) {
      const [low, high, worth] = spread;
      let least = Infinity;
      let greatest = -Infinity;
      for (let place = 0; place < this.count[node]!; place += 1) {
        least = Math.min(least, this.fields[at + low * FANOUT + place]!);
        greatest = Math.max(greatest, -this.fields[at + high * FANOUT + place]!);
      }
      if (worth * (greatest - least) <= most) continue;
      most = worth * (greatest - least);
      best = spread;
    }
    return [best[0], best[1]];
  }
}
