import { type Micros, minMicros } from '@gridbourse/kernel';
import { byRank, type Candidate, ranked, type Ranked, type Ranking, rankingOf } from '../candidates.ts';
import type { NodeFree } from '../capacity-book.ts';
import { type Fit, fitAtRate, fitOf, type Subject } from '../constraints.ts';
import type { Offer, Provider } from '../market.ts';
import { nearest } from '../pricing.ts';
import type { GroupNeed, MatchRequest } from '../requirements.ts';
import type { Ask, Capacity } from './ask.ts';
import { Bounds } from './bounds.ts';
import type { BoxTree } from './box-tree.ts';
import { Frontier } from './frontier.ts';
import { BITS, BITS_AT, FANOUT, FIELDS_AT, lowestBit, NODE_WORDS } from './layout.ts';
import type { Notes } from './notes.ts';
import type { Particulars } from './particulars.ts';
import type { RoundTrips } from './round-trips.ts';
import type { Choice } from './shelves.ts';

/** What is known of the offer in a slot. */
export type Kept = {
  readonly offer: Offer;
  readonly provider: Provider;
  free: readonly NodeFree[];
  /** Number of the provider's place among those that round trips are known to. */
  readonly place: number;
};

/** What a search reads; nothing of it changes while the search goes on. */
export type Stock = {
  readonly tree: BoxTree;
  /** By slot. */
  readonly entries: readonly (Kept | undefined)[];
  /** Slots whose offers ask another price than their rows say, and how the offers are then. */
  readonly repriced: ReadonlyMap<number, Offer>;
  readonly particulars: Particulars;
  readonly roundTrips: RoundTrips;
  readonly capacity: Capacity;
  readonly notes: Notes;
  /** Of searches that are over, for those that come. */
  readonly frontiers: Frontier[];
  /** Counts the offers and boxes that are looked at. */
  readonly effort: { looks: number };
};

const cheaper = (known: Micros | null, fit: Fit | null): Micros | null => {
  if (!fit) return known;
  return known === null ? fit.rateMicrosPerHour : minMicros(known, fit.rateMicrosPerHour);
};

const PLACES_AT = BITS_AT + BITS.place * FANOUT;

/** Neither more frontiers are kept than so many, nor any that has had to hold more items: some MB in all. */
const MOST_FRONTIERS = 4;
const MOST_ROOM = 50_000;

const NODE = 0;
const SLOT = 1;
const EXACT = 2;

/** Of the entries of the node that is being looked at, by place. */
const tripsMs = new Float64Array(FANOUT);
const scores = new Float64Array(FANOUT);
const NO_TRIPS = new Float64Array(FANOUT);

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

  private subjectAt(slot: number): Subject {
    const { entries, repriced, capacity } = this.stock;
    const { offer, provider, free } = entries[slot]!;
    return {
      need: this.need,
      offer: repriced.get(slot) ?? offer,
      provider,
      free: capacity === 'free' ? free : offer.nodes,
    };
  }

  /** Whether and how the offer fits, if its row says that it may; worked out once. */
  private fitAt(slot: number): Fit | null {
    const known = this.fits.get(slot);
    if (known !== undefined) return known;
    this.stock.effort.looks += 1;
    // Of offers at another price, no row has been asked.
    const fit = this.stock.repriced.has(slot) ? fitOf(this.subjectAt(slot)) : this.fitInBook(slot);
    this.fits.set(slot, fit);
    return fit;
  }

  /** As `fitOf`, less what its shelf and its row have said for sure. */
  private fitInBook(slot: number): Fit | null {
    const { need, ask } = this;
    const { particulars } = this.stock;
    if (!particulars.canLast(slot, need.durationSeconds)) return null;
    const subject = this.subjectAt(slot);
    for (const check of ask.doubts) if (check(subject)) return null;
    return fitAtRate(subject, particulars.rateOf(slot, need.total, subject.offer));
  }

  /** Bit n says that entry n of the node may fit. The searches of one group meet on many nodes. */
  private maskOf(node: number): number {
    const { tree, notes, effort } = this.stock;
    const known = notes.read(this.number, node);
    if (known >= 0) return known;
    effort.looks += 1;
    const mask = this.ask.mayFit(tree.columns, node, tree.size(node));
    notes.write(this.number, node, mask);
    return mask;
  }

  /** Calls back with nodes to begin at, each with the entries that count. */
  private begin(onNode: (node: number, mask: number) => void): void {
    if (this.ask.hopeless) return;
    const { tree } = this.stock;
    if (this.start.slots) {
      for (const slot of this.start.slots) {
        const leaf = tree.leafOf(slot);
        onNode(leaf, this.maskOf(leaf) & (1 << tree.placeOf(slot)));
      }
      return;
    }
    for (const { anchor, mask } of this.start.choice.beginnings) onNode(anchor, this.maskOf(anchor) & mask);
  }

  private shelfAt(slot: number): number {
    const { tree } = this.stock;
    return tree.treeOf(tree.leafOf(slot));
  }

  private takeFrontier(): Frontier {
    return this.stock.frontiers.pop() ?? new Frontier();
  }

  private giveBack(frontier: Frontier): void {
    const { frontiers } = this.stock;
    if (frontiers.length < MOST_FRONTIERS && frontier.room <= MOST_ROOM) frontiers.push(frontier);
  }

  /** Lowest rate of an offer that fits; null when none does. */
  cheapest(): Micros | null {
    const frontier = this.takeFrontier();
    frontier.clear();
    const cheapest = this.cheapestWith(frontier);
    this.giveBack(frontier);
    return cheapest;
  }

  private cheapestWith(frontier: Frontier): Micros | null {
    const { tree, repriced } = this.stock;
    const onNode = (node: number, mask: number): void => {
      const rank = tree.isLeaf(node) ? SLOT : NODE;
      for (let rest = mask; rest !== 0; rest &= rest - 1) {
        const place = lowestBit(rest);
        const entry = tree.entry(node, place);
        if (rank === SLOT && repriced.has(entry)) continue;
        scores[place] = -this.ask.rateAtLeast(tree.columns.fields, node * NODE_WORDS + FIELDS_AT + place);
        frontier.add(scores, place, rank, entry);
      }
      frontier.close();
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
    const { facts } = this.start.choice;
    let fastest = 0;
    for (const [slot, fit] of this.fits) {
      if (fit) fastest = Math.max(fastest, facts[this.shelfAt(slot)]!.throughput);
    }
    return fastest;
  }

  private mayFit(slot: number): boolean {
    const { tree } = this.stock;
    return (this.maskOf(tree.leafOf(slot)) & (1 << tree.placeOf(slot))) !== 0;
  }

  private anyFitsOn(shelf: number): boolean {
    if (this.ask.hopeless) return false;
    const { tree } = this.stock;
    if (this.start.slots) {
      return this.start.slots.some(
        (slot) => this.shelfAt(slot) === shelf && this.mayFit(slot) && this.fitAt(slot) !== null,
      );
    }
    const anchor = tree.anchorOf(shelf);
    if ((this.maskOf(anchor) & (1 << tree.placeInAnchor(shelf))) === 0) return false;
    const stack = [tree.rootOf(shelf)];
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
    const frontier = this.takeFrontier();
    try {
      yield* this.ranked(ranking, frontier);
    } finally {
      // A caller that neither goes on nor says that it is done keeps its frontier.
      this.giveBack(frontier);
    }
  }

  private *ranked(ranking: Ranking, frontier: Frontier): Generator<Candidate> {
    const { tree, entries, roundTrips, repriced, particulars } = this.stock;
    const exact: Ranked[] = [];
    frontier.clear((a, b) => byRank(exact[a]!, exact[b]!) < 0);
    const bounds = new Bounds(this.ask, tree.columns, ranking);
    const { facts } = this.start.choice;
    const { origin } = this.ask;
    const table = origin && roundTrips.from(origin);
    const tripTo = (place: number): number => (table ? roundTrips.between(origin, table, place) : 0);
    const findTrips = (node: number, mask: number, leaf: boolean): void => {
      const at = node * NODE_WORDS + FIELDS_AT;
      for (let rest = mask; rest !== 0; rest &= rest - 1) {
        const place = lowestBit(rest);
        tripsMs[place] = leaf
          ? tripTo(tree.columns.words[node * NODE_WORDS + PLACES_AT + place]!)
          : this.ask.rttAtLeast(tree.columns.fields, at + place);
      }
    };
    const onNode = (node: number, mask: number): void => {
      const leaf = tree.isLeaf(node);
      if (table) findTrips(node, mask, leaf);
      const trips = table ? tripsMs : NO_TRIPS;
      if (!tree.isAnchor(node)) {
        bounds.scoresAtMost(node, mask, facts[tree.treeOf(node)]!, trips, scores);
      } else {
        for (let rest = mask; rest !== 0; rest &= rest - 1) {
          const root = tree.entry(node, lowestBit(rest));
          bounds.scoresAtMost(node, rest & -rest, facts[tree.treeOf(root)]!, trips, scores);
        }
      }
      for (let rest = mask; rest !== 0; rest &= rest - 1) {
        const place = lowestBit(rest);
        const entry = tree.entry(node, place);
        if (!leaf) frontier.add(scores, place, NODE, entry);
        else if (!repriced.has(entry)) frontier.add(scores, place, SLOT, entry);
      }
      frontier.close();
    };
    const rankExactly = (slot: number): void => {
      const fit = this.fitAt(slot);
      if (!fit) return;
      const { throughput } = facts[this.shelfAt(slot)]!;
      const known = {
        tripMs: tripTo(entries[slot]!.place),
        throughput,
        reliability: particulars.reliabilityOf(slot),
        gpusOfEach: particulars.gpusOfEach(slot),
      };
      const found = ranked(ranking, { ...this.subjectAt(slot), fit, known });
      scores[0] = found.score;
      frontier.add(scores, 0, EXACT, exact.push(found) - 1);
      frontier.close();
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
