import { DomainError, type Micros, type OfferId, type ProviderId } from '@gridbourse/kernel';
import { type Amounts, DIMENSIONS } from '../amounts.ts';
import type { Candidate, CandidateSource, Ranking } from '../candidates.ts';
import type { CapacityBook, NodeFree } from '../capacity-book.ts';
import { rttEndOf } from '../catalogue.ts';
import { interconnectRank } from '../interconnect.ts';
import { isMatchable, type Market, type Offer, type Provider } from '../market.ts';
import { nearest } from '../pricing.ts';
import type { GroupNeed, MatchRequest } from '../requirements.ts';
import { reliabilityTerm } from '../scoring.ts';
import { Ask, type Capacity, unitVector } from './ask.ts';
import { BoxTree } from './box-tree.ts';
import { emptyRow, type Row } from './columns.ts';
import type { Frontier } from './frontier.ts';
import { halfBelow, halfOf } from './halves.ts';
import { BITS, FIELD, gpuBit, HALF } from './layout.ts';
import { Notes } from './notes.ts';
import { Particulars } from './particulars.ts';
import { RoundTrips } from './round-trips.ts';
import { type Kept, Search, type Start } from './search.ts';
import { Shelves } from './shelves.ts';
import { notAbove } from './singles.ts';
import { attributeBit, bit64, storageBit, union, Vocabulary } from './words.ts';

type Entry = Kept & { readonly slot: number };

/** What a question takes for given, against what is. */
type Assumptions = {
  readonly capacity: Capacity;
  /** Offers that ask another price, and how they are then. */
  readonly repriced: readonly OfferId[];
  readonly priced: (offer: Offer) => Offer;
};

const AS_IT_IS: Assumptions = { capacity: 'free', repriced: [], priced: (offer) => offer };

/** Fewer changes of a shelf than that are not worth making its tree anew. */
const FEWEST_MOVES = 64;

/** The price that tells offers apart most, on a scale where a percent is a percent. */
const priceOnScale = ({ gpu, price }: Offer): number =>
  Math.log1p(nearest(gpu === null ? price.perCpuCore : price.perGpu));

/**
 * The offers that can be matched, in columns under trees of boxes, one tree for each kind of GPU and way of selling it. It follows the market and
 * the capacity book: what they say has changed is looked at again when the next question is asked, so that many changes
 * between two questions cost one look.
 */
export class OfferBook implements CandidateSource {
  private readonly tree = new BoxTree();
  private readonly shelves = new Shelves({
    open: () => this.openShelf(),
    anchorOf: (shelf) => this.tree.anchorOf(shelf),
    placeInAnchor: (shelf) => this.tree.placeInAnchor(shelf),
  });
  private readonly entries = new Map<OfferId, Entry>();
  private readonly bySlot: (Entry | undefined)[] = [];
  private readonly particulars = new Particulars();
  private readonly roundTrips = new RoundTrips();
  private readonly notes = new Notes();
  private readonly frontiers: Frontier[] = [];
  private readonly row = emptyRow();
  /** Offers of a provider, matchable or not: those that have to be looked at when it changes. */
  private readonly offersOf = new Map<ProviderId, Set<OfferId>>();
  private readonly regions = new Vocabulary();
  /** Slots that are not in the tree of their shelf yet, by shelf: only while everything that changed is looked at. */
  private readonly entering = new Map<number, number[]>();
  /** Of each shelf how many slots are in its tree, and how many have come or gone since it was made. */
  private readonly sizes: number[] = [];
  private readonly moves: number[] = [];
  private readonly stale = new Set<OfferId>();
  private readonly staleProviders = new Set<ProviderId>();
  private readonly effort = { looks: 0 };

  constructor(
    private readonly market: Market,
    private readonly capacity: CapacityBook,
  ) {
    for (const { offerId } of market.offers()) this.stale.add(offerId);
    market.watch({
      provider: (id) => void this.staleProviders.add(id),
      offer: (id) => void this.stale.add(id),
    });
    capacity.watch((id) => void this.stale.add(id));
  }

  /** How many offers can be matched now. */
  get size(): number {
    this.settle();
    return this.entries.size;
  }

  candidates(request: MatchRequest, need: GroupNeed, as: Assumptions = AS_IT_IS): Iterable<Candidate> {
    return this.search(need, as).candidates(request);
  }

  cheapest(_: MatchRequest, need: GroupNeed, as: Assumptions = AS_IT_IS): Micros | null {
    return this.search(need, as).cheapest();
  }

  ranking(request: MatchRequest, need: GroupNeed, as: Assumptions = AS_IT_IS): Ranking | null {
    return this.search(need, as).ranking(request);
  }

  looks(): number {
    return this.effort.looks;
  }

  withPrices(offers: Iterable<OfferId>, priced: (offer: Offer) => Offer): CandidateSource {
    return this.assuming({ ...AS_IT_IS, repriced: [...offers], priced });
  }

  /** The same book as if nobody had anything. */
  get emptied(): CandidateSource {
    return this.assuming({ ...AS_IT_IS, capacity: 'declared' });
  }

  private assuming(as: Assumptions): CandidateSource {
    return {
      candidates: (request, need) => this.candidates(request, need, as),
      cheapest: (request, need) => this.cheapest(request, need, as),
      ranking: (request, need) => this.ranking(request, need, as),
      looks: () => this.looks(),
      withPrices: (offers, priced) => this.assuming({ ...as, repriced: [...offers], priced }),
    };
  }

  private search(need: GroupNeed, { capacity, repriced, priced }: Assumptions): Search {
    this.settle();
    const others = new Map<number, Offer>();
    for (const offerId of repriced) {
      const entry = this.entries.get(offerId);
      if (entry) others.set(entry.slot, priced(entry.offer));
    }
    return new Search(
      {
        tree: this.tree,
        entries: this.bySlot,
        repriced: others,
        particulars: this.particulars,
        roundTrips: this.roundTrips,
        notes: this.notes,
        frontiers: this.frontiers,
        effort: this.effort,
        capacity,
      },
      new Ask(need, this.regions, capacity),
      need,
      this.startOf(need),
    );
  }

  private startOf(need: GroupNeed): Start {
    if (need.include.size > 0) {
      const suiting = this.shelves.suiting(need);
      const slots = [...need.include].flatMap((provider) =>
        [...(this.offersOf.get(provider) ?? [])].flatMap((offer) => this.entries.get(offer)?.slot ?? []),
      );
      const suits = (slot: number): boolean => suiting.facts[this.shelfOf(slot)] !== undefined;
      return { slots: slots.filter(suits), choice: suiting };
    }
    return { slots: null, choice: this.shelves.suiting(need) };
  }

  private shelfOf(slot: number): number {
    return this.tree.treeOf(this.tree.leafOf(slot));
  }

  private openShelf(): void {
    this.tree.open();
    this.sizes.push(0);
    this.moves.push(0);
  }

  /** Looks again at everything that has changed. */
  private settle(): void {
    for (const id of this.staleProviders) {
      for (const offerId of this.offersOf.get(id) ?? []) this.stale.add(offerId);
    }
    this.staleProviders.clear();
    for (const offerId of this.stale) this.refresh(offerId);
    this.stale.clear();
    for (const [shelf, slots] of this.entering) this.take(shelf, slots);
    this.entering.clear();
  }

  /** Puts slots into the tree of their shelf; when as many have come or gone as it had, it is made anew. */
  private take(shelf: number, slots: readonly number[]): void {
    const rowOf = (slot: number): Row => this.rowOf(this.bySlot[slot]!);
    const moves = this.moves[shelf]! + slots.length;
    if (moves > Math.max(FEWEST_MOVES, this.sizes[shelf]!)) {
      const positionOf = (slot: number): Row => this.positionOf(this.bySlot[slot]!);
      this.tree.load(shelf, [...this.tree.slotsOf(shelf), ...slots], rowOf, positionOf);
      this.moves[shelf] = 0;
    } else {
      for (const slot of slots) this.tree.insert(shelf, slot, rowOf(slot));
      this.moves[shelf] = moves;
    }
    this.sizes[shelf]! += slots.length;
  }

  private refresh(offerId: OfferId): void {
    const offer = this.market.offer(offerId);
    const entry = this.entries.get(offerId);
    if (!offer) {
      if (entry) this.forget(entry);
      return;
    }
    this.note(offer);
    const provider = this.market.provider(offer.providerId);
    if (!provider || offer.withdrawn || !isMatchable(provider)) {
      if (entry) this.leave(entry);
      return;
    }
    const free = this.capacity.free(offer);
    if (entry?.offer === offer && entry.provider === provider) {
      if (entry.free === free) return;
      entry.free = free;
      this.tree.read(entry.slot, this.row);
      this.writeCapacity(HALF.freeMost, HALF.freeTotal, BITS.freeGpus, free);
      this.tree.replace(entry.slot, this.row);
      return;
    }
    if (entry) this.leave(entry);
    this.enter(offer, provider, free);
  }

  private note({ providerId, offerId }: Offer): void {
    const known = this.offersOf.get(providerId);
    if (known) known.add(offerId);
    else this.offersOf.set(providerId, new Set([offerId]));
  }

  private forget(entry: Entry): void {
    const { providerId, offerId } = entry.offer;
    this.leave(entry);
    const known = this.offersOf.get(providerId);
    known?.delete(offerId);
    if (known?.size === 0) this.offersOf.delete(providerId);
  }

  private leave({ slot, offer }: Entry): void {
    const shelf = this.shelfOf(slot);
    this.tree.remove(slot);
    this.sizes[shelf]! -= 1;
    this.moves[shelf]! += 1;
    this.bySlot[slot] = undefined;
    this.entries.delete(offer.offerId);
  }

  private enter(offer: Offer, provider: Provider, free: readonly NodeFree[]): void {
    const place = this.roundTrips.numberOf(rttEndOf(provider.place.location));
    this.writeMachines(offer, free); // throws, if it does, before anything is changed
    const slot = this.tree.takeSlot();
    const entry = { slot, offer, provider, free, place };
    this.entries.set(offer.offerId, entry);
    this.bySlot[slot] = entry;
    this.particulars.put(slot, offer, provider);
    const shelf = this.shelves.numberOf(offer.gpu);
    const entering = this.entering.get(shelf);
    if (entering) entering.push(slot);
    else this.entering.set(shelf, [slot]);
  }

  /** The fields of a row by which boxes are told apart. Good until the next is asked for. */
  private positionOf({ offer, provider }: Kept): Row {
    const { fields } = this.row;
    const set = (field: number, value: number): void => void (fields[field] = notAbove(value));
    const [x, y, z] = unitVector(provider.place.location);
    const price = priceOnScale(offer);
    const reliability = reliabilityTerm(provider);
    set(FIELD.priceLow, price);
    set(FIELD.priceHigh, -price);
    set(FIELD.xLow, x);
    set(FIELD.yLow, y);
    set(FIELD.zLow, z);
    set(FIELD.xHigh, -x);
    set(FIELD.yHigh, -y);
    set(FIELD.zHigh, -z);
    set(FIELD.reliabilityLow, reliability);
    set(FIELD.reliabilityHigh, -reliability);
    return this.row;
  }

  /** Good until the next is asked for. */
  private rowOf(kept: Kept): Row {
    const { offer, provider, free, place } = kept;
    const { fields, halves, bits } = this.positionOf(kept);
    fields[FIELD.perGpu] = notAbove(nearest(offer.price.perGpu));
    fields[FIELD.perCpuCore] = notAbove(nearest(offer.price.perCpuCore));
    fields[FIELD.perMemoryGiB] = notAbove(nearest(offer.price.perMemoryGiB));
    fields[FIELD.perStorageGiB] = notAbove(nearest(offer.price.perStorageGiB));
    halves[HALF.tier] = halfOf(provider.tier);
    halves[HALF.minDuration] = halfOf(offer.policy.minDurationSeconds);
    halves[HALF.maxDuration] = halfBelow(offer.policy.maxDurationSeconds);
    halves[HALF.interconnect] = halfBelow(interconnectRank(offer.interconnect));
    this.writeMachines(offer, free);
    this.writeBits(offer, provider);
    bits[BITS.place] = place;
    return this.row;
  }

  private writeMachines({ nodes }: Offer, free: readonly NodeFree[]): void {
    this.writeCapacity(HALF.freeMost, HALF.freeTotal, BITS.freeGpus, free);
    this.writeCapacity(HALF.declaredMost, HALF.declaredTotal, BITS.declaredGpus, nodes);
  }

  private writeBits(offer: Offer, provider: Provider): void {
    const { bits } = this.row;
    bits.set(bit64(this.regions.add(provider.place.region)), BITS.region);
    const traits = Object.entries(provider.attributes).map(([key, value]) => attributeBit(key, value));
    for (const name of offer.storageClasses) traits.push(storageBit(name), storageBit(null));
    bits.set(union(traits), BITS.traits);
  }

  /** @throws DomainError `impossible_amounts` for machines that add up to more than counts exactly */
  private writeCapacity(
    firstMost: number,
    firstTotal: number,
    word: number,
    machines: readonly Amounts[],
  ): void {
    const { halves, bits } = this.row;
    let gpus = 0;
    for (const machine of machines) gpus |= gpuBit(machine.gpus);
    bits[word] = gpus;
    DIMENSIONS.forEach((dimension, i) => {
      let most = 0;
      let total = 0;
      for (const machine of machines) {
        const amount = machine[dimension];
        if (amount > most) most = amount;
        total += amount;
      }
      if (!Number.isSafeInteger(total)) {
        throw new DomainError(
          'internal',
          'impossible_amounts',
          `${dimension} of an offer add up to ${total}`,
        );
      }
      halves[firstMost + i] = halfBelow(most);
      halves[firstTotal + i] = halfBelow(total);
    });
  }
}
