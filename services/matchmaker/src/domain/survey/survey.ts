import type { Micros, OfferId } from '@gridbourse/kernel';
import type { Amounts } from '../amounts.ts';
import type { NodeFree } from '../capacity-book.ts';
import {
  type Constraint,
  CONSTRAINTS,
  GPU_CHECKS,
  type OfOffer,
  type OfProvider,
  PROVIDER_CHECKS,
  PROVIDER_NAME_CHECKS,
  SHAPE_CHECKS,
  type Subject,
  TERMS_CHECKS,
  wantsRoom,
} from '../constraints.ts';
import type { Offer, Provider } from '../market.ts';
import { nearest, type Price, rateMicrosPerHour } from '../pricing.ts';
import type { GroupNeed } from '../requirements.ts';
import { type OfferColumns, PRICES } from './offer-columns.ts';
import { hasRoom, largestOf } from './room.ts';

/** What is asked for single groups instead of the price list, micro-USDC per hour. */
export type Bids = NonNullable<Price['bids']>;

/** How the market stands to one group. */
export type Findings = {
  /** Offers on sale. */
  readonly offers: number;
  /** Those of them that fail nothing. */
  readonly fitting: number;
  /** How many offers fail each constraint; those that none fails are left out. An offer may fail several. */
  readonly failed: ReadonlyMap<Constraint, number>;
  /** The offers that fail the fewest constraints; of those the cheapest, of those the lowest id. */
  readonly nearest: readonly Subject[];
};

/** Offers of which one stands for all that are alike in their GPUs, or in their terms; providers likewise. */
export type OnSale = {
  readonly gpus: Iterable<Offer>;
  readonly terms: Iterable<Offer>;
  readonly providers: Iterable<Provider>;
};

/** The market, asked what keeps its offers from an order. */
export type Survey = {
  /** @param atMost so many of the nearest misses */
  readonly findingsFor: (need: GroupNeed, atMost: number) => Findings;
  /** One of each kind that there is on sale. */
  readonly kinds: () => OnSale;
  /** The same market where something was bid for some offers: by offer, the rates for single groups. */
  readonly withBids: (prices: ReadonlyMap<OfferId, Bids>) => Survey;
};

const BITS: ReadonlyMap<Constraint, number> = new Map(CONSTRAINTS.map((name, place) => [name, 1 << place]));
const PRICE = BITS.get('price')!;
const CAPACITY = BITS.get('capacity')!;
/** Sums of rounded prices and products differ from exact rates by far less than this part of them, and one for rounding up. */
const CLOSE = 1e-9;

const bitsOf = <S>(
  checks: readonly ((subject: S) => { readonly constraint: Constraint } | null)[],
  of: S,
): number => {
  let bits = 0;
  for (const check of checks) {
    const broken = check(of);
    if (broken) bits |= BITS.get(broken.constraint)!;
  }
  return bits;
};

const ofProviders = (checks: readonly OfProvider[], need: GroupNeed) => (provider: Provider) =>
  bitsOf(checks, { need, provider });
const ofOffers = (checks: readonly OfOffer[], need: GroupNeed) => (offer: Offer) =>
  bitsOf(checks, { need, offer });

/** What fails at each provider, by its number. */
const providerBits = (columns: OfferColumns, need: GroupNeed): Int32Array => {
  const ofKind = columns.providerKinds.each(ofProviders(PROVIDER_CHECKS, need));
  const named = new Set([...need.include, ...need.exclude, ...need.declinedBy]);
  const ofName = ofProviders(PROVIDER_NAME_CHECKS, need);
  const unnamed = columns.anySeller((id) => !named.has(id));
  const ofUnnamed = unnamed ? ofName(unnamed) : 0;
  const bits = new Int32Array(columns.providerNumbers);
  // Numbers that nobody has now get some bits too; no row has them.
  for (let number = 0; number < bits.length; number += 1)
    bits[number] = ofKind[columns.kindOfProvider[number]!]! | ofUnnamed;
  for (const id of named) {
    const seller = columns.seller(id);
    if (!seller) continue;
    bits[seller.number] = ofKind[columns.kindOfProvider[seller.number]!]! | ofName(seller.provider);
  }
  return bits;
};

type Miss = {
  readonly row: number;
  readonly count: number;
  readonly rate: Micros;
  readonly offerId: OfferId;
};

const byNearness = (a: Miss, b: Miss): number =>
  a.count - b.count || (a.rate < b.rate ? -1 : a.rate > b.rate ? 1 : a.offerId < b.offerId ? -1 : 1);

/**
 * What fails at every offer, found out once for each kind of provider, terms, GPUs and machines by the very checks that
 * matching uses, and put together row by row; prices by a multiplication each, exactly where it is close; what is free only
 * where something is taken.
 */
export class Inspection {
  private readonly ofProvider: Int32Array;
  private readonly ofTerms: Int32Array;
  private readonly ofGpu: Int32Array;
  private readonly ofShape: Int32Array;
  private readonly prices: ReadonlyMap<number, Price>;
  private readonly largest: Amounts;
  private readonly limit: number;

  /** @param bids what was bid for this order, by offer */
  constructor(
    private readonly columns: OfferColumns,
    private readonly need: GroupNeed,
    bids: ReadonlyMap<OfferId, Bids>,
    private readonly free: (offer: Offer) => readonly NodeFree[],
  ) {
    this.ofProvider = providerBits(columns, need);
    this.ofTerms = columns.termsKinds.each(ofOffers(TERMS_CHECKS, need));
    this.ofGpu = columns.gpuKinds.each(ofOffers(GPU_CHECKS, need));
    this.ofShape = columns.shapeKinds.each(ofOffers(SHAPE_CHECKS, need));
    this.largest = largestOf(need);
    this.limit = nearest(need.limitMicrosPerHour);
    this.prices = new Map(
      [...columns.bids, ...bids].flatMap(([offerId, ofGroups]): [number, Price][] => {
        const row = columns.rowOf(offerId);
        return row === undefined ? [] : [[row, { ...columns.offerIn(row).price, bids: ofGroups }]];
      }),
    );
  }

  private exactRate(row: number): Micros {
    const price = this.prices.get(row) ?? this.columns.offerIn(row).price;
    return rateMicrosPerHour(price, this.need.total);
  }

  /** Of the exact rate, within `CLOSE` of it and one micro-USDC. */
  private roughRate(row: number): number {
    if (this.prices.size > 0 && this.prices.has(row)) return nearest(this.exactRate(row));
    const { prices } = this.columns;
    const { gpus, cpuMillis, memoryMiB, storageMiB } = this.need.total;
    const at = row * PRICES;
    return (
      prices[at]! * gpus +
      prices[at + 1]! * (cpuMillis / 1_000) +
      prices[at + 2]! * (memoryMiB / 1_024) +
      prices[at + 3]! * (storageMiB / 1_024)
    );
  }

  private tooDear(row: number, rough: number): boolean {
    const slack = rough * CLOSE + 2;
    if (rough + slack < this.limit) return false;
    if (rough - slack > this.limit) return true;
    return this.exactRate(row) > this.need.limitMicrosPerHour;
  }

  private bitsIn(row: number, rough: number): number {
    const { columns } = this;
    const ofShape = this.ofShape[columns.shape[row]!]!;
    let bits =
      this.ofProvider[columns.provider[row]!]! |
      this.ofTerms[columns.terms[row]!]! |
      this.ofGpu[columns.gpu[row]!]! |
      ofShape;
    if (this.tooDear(row, rough)) bits |= PRICE;
    const free = columns.frees[row]!;
    if (
      free !== null &&
      ofShape === 0 &&
      wantsRoom(this.need, columns.offers[row]!.gpu) &&
      !hasRoom(this.need, this.largest, free)
    )
      bits |= CAPACITY;
    return bits;
  }

  findings(atMost: number): Findings {
    const { columns } = this;
    const counts = new Int32Array(CONSTRAINTS.length);
    const misses: Miss[] = [];
    let fitting = 0;
    let [mostBroken, highest] = [Infinity, Infinity];
    for (let row = 0; row < columns.size; row += 1) {
      const rough = this.roughRate(row);
      const bits = this.bitsIn(row, rough);
      let count = 0;
      for (let left = bits; left !== 0; left &= left - 1) {
        counts[31 - Math.clz32(left & -left)]! += 1;
        count += 1;
      }
      if (count === 0) fitting += 1;
      if (count > mostBroken || (count === mostBroken && rough > highest)) continue;
      misses.push({ row, count, rate: this.exactRate(row), offerId: columns.offerIn(row).offerId });
      misses.sort(byNearness);
      if (misses.length < atMost) continue;
      misses.length = atMost;
      mostBroken = misses.at(-1)?.count ?? -1;
      const last = nearest(misses.at(-1)?.rate ?? 0n);
      highest = last + last * CLOSE + 2;
    }
    return {
      offers: columns.size,
      fitting,
      failed: new Map(
        CONSTRAINTS.flatMap((constraint, place): [Constraint, number][] =>
          counts[place]! > 0 ? [[constraint, counts[place]!]] : [],
        ),
      ),
      nearest: misses.map(({ row }) => this.subjectIn(row)),
    };
  }

  private subjectIn(row: number): Subject {
    const offer = this.columns.offerIn(row);
    const price = this.prices.get(row);
    return {
      need: this.need,
      offer: price ? { ...offer, price } : offer,
      provider: this.columns.providerIn(row),
      free: this.free(offer),
    };
  }
}
