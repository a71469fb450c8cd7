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
import { FANOUT, FIELDS, WORDS } from './layout.ts';
import type { RoundTrips } from './round-trips.ts';

/** Offers of one kind of GPU sold in one way, or without one. */
export type Shelf = { readonly gpu: Offer['gpu']; readonly anchor: number };

/** What a search reads; nothing of it changes while the search goes on. */
export type Stock = {
  readonly tree: BoxTree;
  readonly shelves: readonly Shelf[];
  readonly offerAt: (slot: number) => { readonly offer: Offer; readonly provider: Provider };
  /** Number of the provider's place. */
  readonly placeAt: (slot: number) => number;
  readonly roundTrips: RoundTrips;
  readonly freeAt: (slot: number) => readonly NodeFree[];
  /** Counts the offers and boxes that are looked at. */
  readonly effort: { looks: number };
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
  /** Of each node that was looked into: bit n says that its entry n may fit. The searches of one group meet on many. */
  private readonly masks = new Map<number, number>();

  constructor(
    private readonly stock: Stock,
    private readonly ask: Ask,
    private readonly need: GroupNeed,
    private readonly start: Start,
  ) {}

  /** Whether and how the offer fits; worked out once. */
  private fitAt(slot: number): Fit | null {
    const known = this.fits.get(slot);
    if (known !== undefined) return known;
    this.stock.effort.looks += 1;
    const { offer, provider } = this.stock.offerAt(slot);
    const fit = fitOf({ need: this.need, offer, provider, free: this.stock.freeAt(slot) });
    this.fits.set(slot, fit);
    return fit;
  }

  private maskOf(node: number): number {
    const known = this.masks.get(node);
    if (known !== undefined) return known;
    const { tree } = this.stock;
    const { fields, bits } = tree;
    const at = node * FIELDS * FANOUT;
    const bitsAt = node * WORDS * FANOUT;
    const size = tree.size(node);
    this.stock.effort.looks += 1;
    let mask = 0;
    for (let place = 0; place < size; place += 1) {
      if (this.ask.mayFit(fields, at + place, bits, bitsAt + place)) mask |= 1 << place;
    }
    this.masks.set(node, mask);
    return mask;
  }

  /** Calls back with each entry of a node that may fit: its place in the node. */
  private below(node: number, onEntry: (node: number, place: number) => void): void {
    for (let mask = this.maskOf(node); mask !== 0; mask &= mask - 1) {
      onEntry(node, 31 - Math.clz32(mask & -mask));
    }
  }

  private begin(onEntry: (node: number, place: number) => void): void {
    if (this.ask.hopeless) return;
    const { tree, shelves } = this.stock;
    if (this.start.slots) {
      for (const slot of this.start.slots) onEntry(tree.leafOf(slot), tree.placeOf(slot));
      return;
    }
    for (const shelf of this.start.shelves) {
      this.below(shelves[shelf]!.anchor, onEntry);
    }
  }

  /** Lowest rate of an offer that fits; null when none does. */
  cheapest(): Micros | null {
    const { tree } = this.stock;
    const frontier = new Frontier();
    const onEntry = (node: number, place: number): void => {
      const rank = tree.isLeaf(node) ? SLOT : NODE;
      const rate = this.ask.rateAtLeast(tree.fields, node * FIELDS * FANOUT + place);
      frontier.push(-rate, rank, tree.entry(node, place));
    };
    this.begin(onEntry);
    let cheapest: Micros | null = null;
    while (frontier.size > 0 && (cheapest === null || -frontier.key <= nearest(cheapest))) {
      const isNode = frontier.rank === NODE;
      const item = frontier.pop();
      if (isNode) {
        this.below(item, onEntry);
        continue;
      }
      const fit = this.fitAt(item);
      if (fit)
        cheapest = cheapest === null ? fit.rateMicrosPerHour : minMicros(cheapest, fit.rateMicrosPerHour);
    }
    return cheapest;
  }

  /** Throughput of the fastest GPU among offers that fit, of which some are known; 0 when no GPU is asked for. */
  private fastest(): number {
    const speeds = this.start.shelves.map((shelf) => ({ shelf, speed: this.speedOf(shelf) }));
    speeds.sort((a, b) => b.speed - a.speed);
    const known = this.fastestKnown();
    for (const { shelf, speed } of speeds) {
      if (speed <= known) return known;
      if (this.anyFitsOn(shelf)) return speed;
    }
    return known;
  }

  private fastestKnown(): number {
    const { tree } = this.stock;
    let fastest = 0;
    for (const [slot, fit] of this.fits) {
      if (fit) fastest = Math.max(fastest, this.speedOf(tree.shelfOf(tree.leafOf(slot))));
    }
    return fastest;
  }

  private speedOf(shelf: number): number {
    return throughputOf({ offer: { gpu: this.stock.shelves[shelf]!.gpu } as Offer, need: this.need });
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
      let found = false;
      this.below(node, (parent, place) => {
        const entry = tree.entry(parent, place);
        if (!tree.isLeaf(parent)) stack.push(entry);
        else found ||= this.fitAt(entry) !== null;
      });
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
    const performance = new Float64Array(shelves.length);
    for (const shelf of this.start.shelves) {
      performance[shelf] = performanceTerm(this.speedOf(shelf), field.fastest);
    }
    const { origin } = this.ask;
    const { roundTrips } = this.stock;
    const table = origin && roundTrips.from(origin);
    const onEntry = (node: number, place: number): void => {
      const leaf = tree.isLeaf(node);
      const entry = tree.entry(node, place);
      const shelf = tree.shelfOf(node);
      const at = node * FIELDS * FANOUT + place;
      const bitsAt = node * WORDS * FANOUT + place;
      let roundTripMs = 0;
      if (table) {
        roundTripMs = leaf
          ? roundTrips.between(origin, table, this.stock.placeAt(entry))
          : this.ask.rttAtLeast(tree.fields, at);
      }
      const bound = this.ask.scoreAtMost(
        ranking,
        { fields: tree.fields, at, bits: tree.bits, bitsAt },
        { performance: performance[shelf]!, gpu: shelves[shelf]!.gpu !== null, roundTripMs },
      );
      frontier.push(bound, leaf ? SLOT : NODE, entry);
    };
    this.begin(onEntry);
    while (frontier.size > 0) {
      const { rank } = frontier;
      const item = frontier.pop();
      if (rank === NODE) this.below(item, onEntry);
      else if (rank === SLOT) {
        const fit = this.fitAt(item);
        if (!fit) continue;
        const { offer, provider } = this.stock.offerAt(item);
        exact.push(ranked(ranking, { offer, provider, free: this.stock.freeAt(item), fit }));
        frontier.push(exact.at(-1)!.score, EXACT, exact.length - 1);
      } else yield exact[item]!;
    }
  }
}
