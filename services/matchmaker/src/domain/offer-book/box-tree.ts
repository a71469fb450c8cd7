import { Columns, emptyRow, type Row } from './columns.ts';
import { grouped } from './grouping.ts';
import { FANOUT, FIELDS_AT, NODE_WORDS, SPREAD } from './layout.ts';

const NONE = -1;
const FIRST_CAPACITY = 64;
/** Above all levels of a tree. */
const ANCHOR_LEVEL = 255;
const LOW = SPREAD.map(([low]) => low);
const HIGH = SPREAD.map(([, high]) => high);
const WORTH = SPREAD.map(([, , worth]) => worth);

const grown = <A extends Int32Array | Uint8Array>(old: A, length: number): A => {
  const larger = new (old.constructor as new (length: number) => A)(length);
  larger.set(old);
  return larger;
};

/**
 * Trees of boxes (R-trees, over shared columns): what lies together in price, place and reliability lies under the same
 * node. An entry of a leaf is a slot, that is an offer; an entry of another node is a node below it, and its row is the box
 * of everything there. The roots are entries of anchors, sixteen to one, which stay what they are: tree n has entry n % 16
 * of anchor n / 16. A change costs one walk to the root.
 */
export class BoxTree {
  readonly columns = new Columns(FIRST_CAPACITY);
  private count = new Uint8Array(FIRST_CAPACITY);
  /** 0: its entries are slots. */
  private level = new Uint8Array(FIRST_CAPACITY);
  private tree = new Int32Array(FIRST_CAPACITY);
  /** The node that a node is an entry of, and which; -1 for an anchor. */
  private nodeParent = new Int32Array(FIRST_CAPACITY);
  private nodePlace = new Uint8Array(FIRST_CAPACITY);
  private slotParent = new Int32Array(FIRST_CAPACITY);
  private slotPlace = new Uint8Array(FIRST_CAPACITY);
  private readonly anchors: number[] = [];
  private readonly unusedNodes: number[] = [];
  private readonly unusedSlots: number[] = [];
  private trees = 0;
  private nodes = 0;
  private slots = 0;
  private readonly scratch = emptyRow();
  private readonly moved = emptyRow();

  isLeaf(node: number): boolean {
    return this.level[node] === 0;
  }

  size(node: number): number {
    return this.count[node]!;
  }

  entry(node: number, place: number): number {
    return this.columns.entry(node, place);
  }

  isAnchor(node: number): boolean {
    return this.level[node] === ANCHOR_LEVEL;
  }

  /** The anchor that the root of a tree is an entry of. */
  anchorOf(tree: number): number {
    return this.anchors[Math.floor(tree / FANOUT)]!;
  }

  placeInAnchor(tree: number): number {
    return tree % FANOUT;
  }

  /** -1 for an empty tree. */
  rootOf(tree: number): number {
    return this.entry(this.anchorOf(tree), this.placeInAnchor(tree));
  }

  /** The number of a node's tree; of no use for an anchor. */
  treeOf(node: number): number {
    return this.tree[node]!;
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

  private takeNode(level: number, tree: number): number {
    const node = this.unusedNodes.pop() ?? this.nodes;
    if (node === this.count.length) {
      const capacity = 2 * node;
      this.columns.grow(capacity);
      this.count = grown(this.count, capacity);
      this.level = grown(this.level, capacity);
      this.tree = grown(this.tree, capacity);
      this.nodeParent = grown(this.nodeParent, capacity);
      this.nodePlace = grown(this.nodePlace, capacity);
    }
    if (node === this.nodes) this.nodes += 1;
    this.nodeParent[node] = NONE;
    this.level[node] = level;
    this.count[node] = 0;
    this.tree[node] = tree;
    return node;
  }

  /** Opens an empty tree. @returns its number: 0, 1, and so on */
  open(): number {
    const tree = this.trees;
    if (this.placeInAnchor(tree) === 0) this.anchors.push(this.takeNode(ANCHOR_LEVEL, NONE));
    this.trees += 1;
    this.count[this.anchorOf(tree)]! += 1;
    this.clear(tree);
    return tree;
  }

  private clear(tree: number): void {
    this.setRoot(tree, NONE);
    this.columns.write(this.anchorOf(tree), this.placeInAnchor(tree), emptyRow());
  }

  /** Its box stays as it is. */
  private setRoot(tree: number, node: number): void {
    const [anchor, place] = [this.anchorOf(tree), this.placeInAnchor(tree)];
    if (node === NONE) this.columns.putEntry(anchor, place, NONE);
    else this.settleAt(anchor, place, node);
  }

  insert(tree: number, slot: number, row: Row): void {
    const root = this.rootOf(tree);
    if (root === NONE) {
      this.setRoot(tree, this.takeNode(0, tree));
    } else if (this.count[root] === FANOUT) {
      const above = this.takeNode(this.level[root]! + 1, tree);
      this.append(above, root, this.boxOf(root));
      this.setRoot(tree, above);
      this.split(root);
    }
    let node = this.anchorOf(tree);
    let place = this.placeInAnchor(tree);
    for (;;) {
      this.columns.widen(node, place, row);
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

  remove(slot: number): void {
    let node = this.slotParent[slot]!;
    const tree = this.tree[node]!;
    this.drop(node, this.slotPlace[slot]!);
    this.unusedSlots.push(slot);
    while (this.count[node] === 0) {
      this.unusedNodes.push(node);
      if (node === this.rootOf(tree)) {
        this.clear(tree);
        return;
      }
      const parent = this.nodeParent[node]!;
      this.drop(parent, this.nodePlace[node]!);
      node = parent;
    }
    this.tighten(node);
    let root = this.rootOf(tree);
    while (this.level[root]! > 0 && this.count[root] === 1) {
      this.unusedNodes.push(root);
      root = this.entry(root, 0);
      this.setRoot(tree, root);
    }
  }

  /** Every slot of a tree. */
  slotsOf(tree: number): number[] {
    const slots: number[] = [];
    this.visit(tree, (node) => {
      if (this.level[node] !== 0) return;
      for (let place = 0; place < this.count[node]!; place += 1) slots.push(this.entry(node, place));
    });
    return slots;
  }

  private visit(tree: number, onNode: (node: number) => void): void {
    const root = this.rootOf(tree);
    const stack = root === NONE ? [] : [root];
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
   * @param positionOf the same, of which no more need be right than the fields by which boxes are told apart
   */
  load(
    tree: number,
    slots: readonly number[],
    rowOf: (slot: number) => Row,
    positionOf: (slot: number) => Row = rowOf,
  ): void {
    this.visit(tree, (node) => this.unusedNodes.push(node));
    this.clear(tree);
    if (slots.length === 0) return;
    const positions = SPREAD.map(() => new Float32Array(slots.length));
    slots.forEach((slot, item) => {
      const { fields } = positionOf(slot);
      positions.forEach((values, direction) => (values[item] = fields[LOW[direction]!]!));
    });
    let level = 0;
    while (FANOUT ** (level + 1) < slots.length) level += 1;
    const build = (items: readonly number[], at: number): number => {
      const node = this.takeNode(at, tree);
      if (at === 0) for (const item of items) this.append(node, slots[item]!, rowOf(slots[item]!));
      else {
        for (const group of grouped(items, Math.ceil(items.length / FANOUT ** at), positions)) {
          const child = build(group, at - 1);
          this.append(node, child, this.boxOf(child));
        }
      }
      return node;
    };
    const root = build(
      slots.map((_, item) => item),
      level,
    );
    this.setRoot(tree, root);
    this.columns.write(this.anchorOf(tree), this.placeInAnchor(tree), this.boxOf(root));
  }

  /** Puts another row in place of a slot's. */
  replace(slot: number, row: Row): void {
    const leaf = this.slotParent[slot]!;
    this.columns.write(leaf, this.slotPlace[slot]!, row);
    this.tighten(leaf);
  }

  /** A slot's row. */
  read(slot: number, row: Row): void {
    this.columns.read(this.slotParent[slot]!, this.slotPlace[slot]!, row);
  }

  /** The box of all entries of a node; good until the next is asked for. */
  private boxOf(node: number): Row {
    this.columns.box(node, this.count[node]!, this.scratch);
    return this.scratch;
  }

  private settleAt(node: number, place: number, entry: number): void {
    this.columns.putEntry(node, place, entry);
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
    this.columns.write(node, place, row);
  }

  /** Takes an entry out; the last one takes its place. */
  private drop(node: number, place: number): void {
    const last = this.count[node]! - 1;
    this.count[node] = last;
    if (place === last) return;
    this.columns.read(node, last, this.moved);
    this.columns.write(node, place, this.moved);
    this.settleAt(node, place, this.entry(node, last));
  }

  /** Works the boxes above a node out anew, as far as anything changes. */
  private tighten(from: number): void {
    for (let node = from, parent = this.nodeParent[from]!; parent !== NONE; parent = this.nodeParent[node]!) {
      const place = this.nodePlace[node]!;
      const box = this.boxOf(node);
      if (this.columns.isAt(parent, place, box)) return;
      this.columns.write(parent, place, box);
      node = parent;
    }
  }

  /** How much wider an entry's box would become. */
  private growth(node: number, place: number, { fields }: Row): number {
    const at = node * NODE_WORDS + FIELDS_AT + place;
    const boxes = this.columns.fields;
    let growth = 0;
    for (let d = 0; d < WORTH.length; d += 1) {
      const below = boxes[at + LOW[d]! * FANOUT]! - fields[LOW[d]!]!;
      const above = boxes[at + HIGH[d]! * FANOUT]! - fields[HIGH[d]!]!;
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
    const other = this.takeNode(this.level[node]!, this.tree[node]!);
    const at = node * NODE_WORDS + FIELDS_AT;
    const { fields } = this.columns;
    const [low, high] = this.widest(node);
    const middle = (place: number): number =>
      fields[at + low * FANOUT + place]! - fields[at + high * FANOUT + place]!;
    const order = Array.from({ length: FANOUT }, (_, place) => place).sort(
      (a, b) => middle(a) - middle(b) || a - b,
    );
    const all = order.map((place) => {
      const row = emptyRow();
      this.columns.read(node, place, row);
      return { entry: this.entry(node, place), row };
    });
    this.count[node] = 0;
    all.forEach(({ entry, row }, i) => this.append(i < FANOUT / 2 ? node : other, entry, row));
    const parent = this.nodeParent[node]!;
    this.columns.write(parent, this.nodePlace[node]!, this.boxOf(node));
    this.append(parent, other, this.boxOf(other));
    return other;
  }

  private widest(node: number): readonly [low: number, high: number] {
    const at = node * NODE_WORDS + FIELDS_AT;
    const { fields } = this.columns;
    let best = SPREAD[0]!;
    let most = -1;
    for (const spread of SPREAD) {
      const [low, high, worth] = spread;
      let least = Infinity;
      let greatest = -Infinity;
      for (let place = 0; place < this.count[node]!; place += 1) {
        least = Math.min(least, fields[at + low * FANOUT + place]!);
        greatest = Math.max(greatest, -fields[at + high * FANOUT + place]!);
      }
      if (worth * (greatest - least) <= most) continue;
      most = worth * (greatest - least);
      best = spread;
    }
    return [best[0], best[1]];
  }
}
