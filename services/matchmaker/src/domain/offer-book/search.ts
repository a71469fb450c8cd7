import type { RttEnd } from '@gridbourse/catalog';
import { type Micros, minMicros } from '@gridbourse/kernel';
import { byRank, type Candidate, ranked, type Ranked, rankingOf } from '../candidates.ts';
import type { NodeFree } from '../capacity-book.ts';
import { type Fit, fitOf } from '../constraints.ts';
import type { Offer, Provider } from '../market.ts';
import { nearest } from '../pricing.ts';
import type { GroupNeed, MatchRequest } from '../requirements.ts';
import { type Field, performanceTerm, throughputOf } from '../scoring.ts';
import type { Ask } from './ask.ts';
import type { BoxTree } from './box-tree.ts';
import { Frontier } from './frontier.ts';
import { FIELDS, WORDS } from './layout.ts';

/** Offers of one kind of GPU, or without one. */
export type Shelf = { readonly gpu: Offer['gpu']; root: number };

/** What a search reads; nothing of it changes while the search goes on. */
export type Stock = {
  readonly tree: BoxTree;
  readonly shelves: readonly Shelf[];
  readonly offerAt: (slot: number) => { readonly offer: Offer; readonly provider: Provider };
  readonly placeAt: (slot: number) => RttEnd;
  readonly shelfAt: (slot: number) => number;
  readonly free: (offer: Offer) => readonly NodeFree[];
};

const NODE = 0;
const SLOT = 1;
const EXACT = 2;

/** Where a search begins: whole shelves, or, where providers were named, their offers one by one. */
export type Start = { readonly shelves: readonly number[]; readonly slots: readonly number[] | null };

/**
 * One group's search, best first ("distance browsing", Hjaltason and Samet 1999): of all boxes and offers not yet looked
 * into, the one with the highest bound is next, so when an exact score comes up no other can beat it. The answer is that of
 * the scan; only the trouble differs.
 */
export class Search {
  private readonly fits = new Map<number, Fit | null>();

  constructor(
    private readonly stock: Stock,
    private readonly ask: Ask,
    private readonly need: GroupNeed,
    private readonly start: Start,
  ) {}

  private mayFitNode(node: number): boolean {
    const { fields, bits } = this.stock.tree.nodes;
    return this.ask.mayFit(fields, node * FIELDS, bits, node * WORDS);
  }

  private mayFitSlot(slot: number): boolean {
    const { fields, bits } = this.stock.tree.slots;
    return this.ask.mayFit(fields, slot * FIELDS, bits, slot * WORDS);
  }

  /** Whether and how the offer fits; worked out once. */
  private fitAt(slot: number): Fit | null {
    const known = this.fits.get(slot);
    if (known !== undefined) return known;
    const { offer, provider } = this.stock.offerAt(slot);
    const fit = fitOf({ need: this.need, offer, provider, free: this.stock.free(offer) });
    this.fits.set(slot, fit);
    return fit;
  }

  /** Calls back with what is directly below a node and may fit. */
  private below(node: number, onNode: (node: number) => void, onSlot: (slot: number) => void): void {
    const { tree } = this.stock;
    const leaf = tree.isLeaf(node);
    for (let at = 0; at < tree.size(node); at += 1) {
      const entry = tree.entry(node, at);
      if (leaf) {
        if (this.mayFitSlot(entry)) onSlot(entry);
      } else if (this.mayFitNode(entry)) onNode(entry);
    }
  }

  private begin(onNode: (node: number) => void, onSlot: (slot: number) => void): void {
    if (this.ask.hopeless) return;
    if (this.start.slots) {
      for (const slot of this.start.slots) if (this.mayFitSlot(slot)) onSlot(slot);
      return;
    }
    for (const shelf of this.start.shelves) {
      const { root } = this.stock.shelves[shelf]!;
      if (root >= 0 && this.mayFitNode(root)) onNode(root);
    }
  }

  /** Lowest rate of an offer that fits; null when none does. */
  cheapest(): Micros | null {
    const { tree } = this.stock;
    const frontier = new Frontier();
    const onNode = (node: number): void =>
      frontier.push(-this.ask.rateAtLeast(tree.nodes.fields, node * FIELDS), NODE, node);
    const onSlot = (slot: number): void =>
      frontier.push(-this.ask.rateAtLeast(tree.slots.fields, slot * FIELDS), SLOT, slot);
    this.begin(onNode, onSlot);
    let cheapest: Micros | null = null;
    while (frontier.size > 0 && (cheapest === null || -frontier.key <= nearest(cheapest))) {
      const isNode = frontier.rank === NODE;
      const item = frontier.pop();
      if (isNode) {
        this.below(item, onNode, onSlot);
        continue;
      }
      const fit = this.fitAt(item);
      if (fit)
        cheapest = cheapest === null ? fit.rateMicrosPerHour : minMicros(cheapest, fit.rateMicrosPerHour);
    }
    return cheapest;
  }

  /** Throughput of the fastest GPU among offers that fit; 0 when no GPU is asked for. */
  private fastest(): number {
    const speeds = this.start.shelves.map((shelf) => ({ shelf, speed: this.speedOf(shelf) }));
    speeds.sort((a, b) => b.speed - a.speed);
    for (const { shelf, speed } of speeds) {
      if (speed === 0) return 0;
      if (this.anyFitsOn(shelf)) return speed;
    }
    return 0;
  }

  private speedOf(shelf: number): number {
    return throughputOf({ offer: { gpu: this.stock.shelves[shelf]!.gpu } as Offer, need: this.need });
  }

  private anyFitsOn(shelf: number): boolean {
    if (this.start.slots) {
      return this.start.slots.some(
        (slot) => this.stock.shelfAt(slot) === shelf && this.mayFitSlot(slot) && this.fitAt(slot) !== null,
      );
    }
    const { root } = this.stock.shelves[shelf]!;
    const stack = root >= 0 && this.mayFitNode(root) ? [root] : [];
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      let found = false;
      this.below(
        node,
        (child) => stack.push(child),
        (slot) => (found ||= this.fitAt(slot) !== null),
      );
      if (found) return true;
    }
    return false;
  }

  /** Best first; looks no further than the caller takes. */
  *candidates(request: MatchRequest): Generator<Candidate> {
    const cheapest = this.cheapest();
    if (cheapest === null) return;
    const field: Field = { cheapest, fastest: this.fastest() };
    const ranking = rankingOf(request, this.need, field);
    const { tree, shelves } = this.stock;
    const exact: Ranked[] = [];
    const frontier = new Frontier((a, b, rank) =>
      rank === EXACT ? byRank(exact[a]!, exact[b]!) < 0 : a < b,
    );
    const speeds = new Map<number, number>(
      this.start.shelves.map((shelf) => [shelf, performanceTerm(this.speedOf(shelf), field.fastest)]),
    );
    const bound = (rows: BoxTree['nodes'], row: number, shelf: number, place: RttEnd | null): number =>
      this.ask.scoreAtMost(
        ranking,
        { fields: rows.fields, at: row * FIELDS, bits: rows.bits, bitsAt: row * WORDS },
        { performance: speeds.get(shelf)!, gpu: shelves[shelf]!.gpu !== null, place },
      );
    const onNode = (node: number): void =>
      frontier.push(bound(tree.nodes, node, tree.shelfOf(node), null), NODE, node);
    const onSlot = (slot: number): void =>
      frontier.push(bound(tree.slots, slot, this.stock.shelfAt(slot), this.stock.placeAt(slot)), SLOT, slot);
    this.begin(onNode, onSlot);
    while (frontier.size > 0) {
      const { rank } = frontier;
      const item = frontier.pop();
      if (rank === NODE) this.below(item, onNode, onSlot);
      else if (rank === SLOT) {
        const fit = this.fitAt(item);
        if (!fit) continue;
        const { offer, provider } = this.stock.offerAt(item);
        exact.push(ranked(ranking, { offer, provider, free: this.stock.free(offer), fit }));
        frontier.push(exact.at(-1)!.score, EXACT, exact.length - 1);
      } else yield exact[item]!;
    }
  }
}
