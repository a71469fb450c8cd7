import { type Micros, minMicros } from '@gridbourse/kernel';
import { byRank, type Candidate, ranked, type Ranked, type Ranking, rankingOf } from '../candidates.ts';
import type { NodeFree } from '../capacity-book.ts';
import { type Fit, fitOf, fitOfSuiting } from '../constraints.ts';
import type { Offer, Provider } from '../market.ts';
import { nearest } from '../pricing.ts';
import type { GroupNeed, MatchRequest } from '../requirements.ts';
import type { Ask } from './ask.ts';
import { Bounds } from './bounds.ts';
import type { BoxTree } from './box-tree.ts';
import { Frontier } from './frontier.ts';
import { FANOUT, FIELDS, lowestBit } from './layout.ts';
import type { Notes } from './notes.ts';
import type { RoundTrips } from './round-trips.ts';
import type { Choice, Shelf } from './shelves.ts';

/** What a search reads; nothing of it changes while the search goes on. */
export type Stock = {
  readonly tree: BoxTree;
  readonly shelves: readonly Shelf[];
  readonly offerAt: (slot: number) => { readonly offer: Offer; readonly provider: Provider };
  /** Slots whose offers ask another price than their rows say: what `offerAt` gives is right. */
  readonly repriced: ReadonlyMap<number, Offer>;
  /** Number of the provider's place. */
  readonly placeAt: (slot: number) => number;
  readonly roundTrips: RoundTrips;
  readonly freeAt: (slot: number) => readonly NodeFree[];
  readonly notes: Notes;
  /** Counts the offers and boxes that are looked at. */
  readonly effort: { looks: number };
};

const cheaper = (known: Micros | null, fit: Fit | null): Micros | null => {
  if (!fit) return known;
  return known === null ? fit.rateMicrosPerHour : minMicros(known, fit.rateMicrosPerHour);
};

const NODE = 0;
const SLOT = 1;
const EXACT = 2;

/** Where a search begins: whole shelves, or, where providers were named, their offers one by one. */
export type Start = { readonly choice: Choice; readonly slots: readonly number[] | null };

/**
 * One group's search, best first ("distance browsing", Hjaltason and Samet 1999): of all boxes and offers not yet looked
 * into, the one with the highest bound is next, so when an exact score comes up no other can beat it. The answer is that of
 * the scan; only the trouble differs.
 */
export class Search {
  private readonly fits = new Map<number, Fit | null>();
  private readonly number: number;

  constructor(
    private readonly stock: Stock,
    private readonly ask: Ask,
    private readonly need: GroupNeed,
    private readonly start: Start,
  ) {
    this.number = stock.notes.newSearch();
  }

  /** Whether and how the offer fits; worked out once. */
  private fitAt(slot: number): Fit | null {
    const known = this.fits.get(slot);
    if (known !== undefined) return known;
    this.stock.effort.looks += 1;
    const { offer, provider } = this.stock.offerAt(slot);
    const subject = { need: this.need, offer, provider, free: this.stock.freeAt(slot) };
    // Offers at another price were not found on a shelf whose GPUs suit.
    const fit = this.stock.repriced.has(slot) ? fitOf(subject) : fitOfSuiting(subject);
    this.fits.set(slot, fit);
    return fit;
  }

  /** Bit n says that entry n of the node may fit. The searches of one group meet on many nodes. */
  private maskOf(node: number): number {
    const { tree, notes, effort } = this.stock;
    const known = notes.read(this.number, node);
    if (known >= 0) return known;
    effort.looks += 1;
    const mask = this.ask.mayFit(tree.fields, tree.bits, node, tree.size(node));
    notes.write(this.number, node, mask);
    return mask;
  }

  /** Calls back with nodes to begin at, each with the entries that count. */
  private begin(onNode: (node: number, mask: number) => void): void {
    if (this.ask.hopeless) return;
    const { tree, shelves } = this.stock;
    if (this.start.slots) {
      for (const slot of this.start.slots) onNode(tree.leafOf(slot), 1 << tree.placeOf(slot));
      return;
    }
    for (const shelf of this.start.choice.shelves) {
      // Not looked into: of most shelves the bound alone says that they need not be.
      const { anchor } = shelves[shelf]!;
      if (tree.size(anchor) > 0) onNode(anchor, 1);
    }
  }

  /** Lowest rate of an offer that fits; null when none does. */
  cheapest(): Micros | null {
    const { tree, repriced } = this.stock;
    const frontier = new Frontier();
    const onNode = (node: number, mask: number): void => {
      const rank = tree.isLeaf(node) ? SLOT : NODE;
      for (let rest = mask; rest !== 0; rest &= rest - 1) {
        const place = lowestBit(rest);
        const entry = tree.entry(node, place);
        if (rank === SLOT && repriced.has(entry)) continue;
        const rate = this.ask.rateAtLeast(tree.fields, node * FIELDS * FANOUT + place);
        frontier.push(-rate, rank, entry);
      }
    };
    let cheapest: Micros | null = null;
    for (const slot of repriced.keys()) cheapest = cheaper(cheapest, this.fitAt(slot));
    this.begin(onNode);
    while (frontier.size > 0 && (cheapest === null || -frontier.key <= nearest(cheapest))) {
      const isNode = frontier.rank === NODE;
      const item = frontier.pop();
      if (isNode) {
        onNode(item, this.maskOf(item));
        continue;
      }
      cheapest = cheaper(cheapest, this.fitAt(item));
    }
    return cheapest;
  }

  /** Throughput of the fastest GPU among offers that fit, of which some are known; 0 when no GPU is asked for. */
  private fastest(): number {
    const { facts, fastestFirst } = this.start.choice;
    const known = this.fastestKnown();
    for (const shelf of fastestFirst) {
      const { throughput } = facts[shelf]!;
      if (throughput <= known) return known;
      if (this.anyFitsOn(shelf)) return throughput;
    }
    return known;
  }

  private fastestKnown(): number {
    const { tree } = this.stock;
    const { facts } = this.start.choice;
    let fastest = 0;
    for (const [slot, fit] of this.fits) {
      if (fit) fastest = Math.max(fastest, facts[tree.shelfOf(tree.leafOf(slot))]!.throughput);
    }
    return fastest;
  }

  private anyFitsOn(shelf: number): boolean {
    const { tree, shelves } = this.stock;
    if (this.start.slots) {
      return this.start.slots.some(
        (slot) => tree.shelfOf(tree.leafOf(slot)) === shelf && this.fitAt(slot) !== null,
      );
    }
    const stack = this.ask.hopeless ? [] : [shelves[shelf]!.anchor];
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      const leaf = tree.isLeaf(node);
      for (let rest = this.maskOf(node); rest !== 0; rest &= rest - 1) {
        const entry = tree.entry(node, lowestBit(rest));
        if (!leaf) stack.push(entry);
        else if (this.fitAt(entry)) return true;
      }
    }
    return false;
  }

  /** By what everything that fits is ranked; null when nothing fits. */
  ranking(request: MatchRequest): Ranking | null {
    const cheapest = this.cheapest();
    return cheapest === null ? null : rankingOf(request, this.need, { cheapest, fastest: this.fastest() });
  }

  /** Best first; looks no further than the caller takes. */
  *candidates(request: MatchRequest): Generator<Candidate> {
    const ranking = this.ranking(request);
    if (!ranking) return;
    const { tree, roundTrips, repriced } = this.stock;
    const exact: Ranked[] = [];
    const frontier = new Frontier((a, b, rank) =>
      rank === EXACT ? byRank(exact[a]!, exact[b]!) < 0 : a < b,
    );
    const bounds = new Bounds(this.ask, tree, ranking);
    const { facts } = this.start.choice;
    const { origin } = this.ask;
    const table = origin && roundTrips.from(origin);
    const tripTo = (slot: number): number =>
      table ? roundTrips.between(origin, table, this.stock.placeAt(slot)) : 0;
    const onNode = (node: number, mask: number): void => {
      const leaf = tree.isLeaf(node);
      const shelf = facts[tree.shelfOf(node)]!;
      for (let rest = mask; rest !== 0; rest &= rest - 1) {
        const place = lowestBit(rest);
        const entry = tree.entry(node, place);
        if (leaf && repriced.has(entry)) continue;
        let tripMs = 0;
        if (table) {
          tripMs = leaf ? tripTo(entry) : this.ask.rttAtLeast(tree.fields, node * FIELDS * FANOUT + place);
        }
        const bound = bounds.scoreAtMost(node, place, shelf, tripMs);
        frontier.push(bound, leaf ? SLOT : NODE, entry);
      }
    };
    const rankExactly = (slot: number): void => {
      const fit = this.fitAt(slot);
      if (!fit) return;
      const { offer, provider } = this.stock.offerAt(slot);
      const free = this.stock.freeAt(slot);
      const { throughput } = facts[tree.shelfOf(tree.leafOf(slot))]!;
      exact.push(ranked(ranking, { offer, provider, free, fit, tripMs: tripTo(slot), throughput }));
      frontier.push(exact.at(-1)!.score, EXACT, exact.length - 1);
    };
    for (const slot of repriced.keys()) rankExactly(slot);
    this.begin(onNode);
    while (frontier.size > 0) {
      const { rank } = frontier;
      const item = frontier.pop();
      if (rank === NODE) onNode(item, this.maskOf(item));
      else if (rank === SLOT) rankExactly(item);
      else yield exact[item]!;
    }
  }
}
