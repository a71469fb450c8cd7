import type { OfferId, ProviderId } from '@gridbourse/kernel';
import type { NodeFree } from '../capacity-book.ts';
import type { Offer, Provider } from '../market.ts';
import { nearest, type Price } from '../pricing.ts';
import { Kinds } from './kinds.ts';

/** Machines beyond so many make a shape of their own: they are seldom alike, and their key would be long. */
const MAX_KEYED_MACHINES = 16;
const FIRST_ROOM = 64;
/** Unit prices of an offer, side by side: GPU, CPU core, GiB of memory, GiB of storage. */
export const PRICES = 4;

const providerKey = ({
  activated,
  suspended,
  chainProviderId,
  presence,
  tier,
  place,
  attributes,
}: Provider): string =>
  JSON.stringify([activated, suspended, chainProviderId === null, presence, tier, place.region, attributes]);

/** Whatever an offer says beside its names, GPUs, machines and prices. */
const termsKey = (offer: Offer): string => {
  const {
    offerId: _,
    providerId: __,
    revision: ___,
    gpu: ____,
    nodes: _____,
    price: ______,
    ...terms
  } = offer;
  return JSON.stringify(terms);
};

const shapeKey = ({ gpu, nodes, offerId }: Offer): string => {
  if (nodes.length > MAX_KEYED_MACHINES) return offerId;
  const machines = nodes.map((node) => [node.gpus, node.cpuMillis, node.memoryMiB, node.storageMiB].join());
  return `${gpu === null ? 'cpu' : 'gpu'} ${machines.join(' ')}`;
};

type ProviderRow = { provider: Provider; readonly number: number; offers: number };

const grown = <A extends Int32Array | Float64Array>(old: A, length: number): A => {
  const larger = new (old.constructor as new (length: number) => A)(length);
  larger.set(old);
  return larger;
};

/**
 * Every offer on sale, whatever the state of its provider, as a row of small numbers: which provider, and of which kind its
 * provider, its terms, its GPUs and its machines are. What a constraint says is found out once for each kind.
 */
export class OfferColumns {
  readonly providerKinds = new Kinds<Provider>();
  readonly termsKinds = new Kinds<Offer>();
  readonly gpuKinds = new Kinds<Offer>();
  readonly shapeKinds = new Kinds<Offer>();
  /** By row, from 0 to `size`. */
  readonly offers: Offer[] = [];
  /** What is free where that is less than what was declared; null where all of it is. */
  readonly frees: (readonly NodeFree[] | null)[] = [];
  provider = new Int32Array(FIRST_ROOM);
  /** By number of the provider. */
  kindOfProvider = new Int32Array(FIRST_ROOM);
  terms = new Int32Array(FIRST_ROOM);
  gpu = new Int32Array(FIRST_ROOM);
  shape = new Int32Array(FIRST_ROOM);
  /** The nearest floating point numbers: what is close to a limit is looked at exactly. */
  prices = new Float64Array(FIRST_ROOM * PRICES);
  private readonly rows = new Map<OfferId, number>();
  private readonly providers = new Map<ProviderId, ProviderRow>();
  private readonly byNumber: (ProviderRow | undefined)[] = [];
  private readonly unused: number[] = [];
  private readonly bidding = new Map<OfferId, NonNullable<Price['bids']>>();

  get size(): number {
    return this.offers.length;
  }

  rowOf(offerId: OfferId): number | undefined {
    return this.rows.get(offerId);
  }

  offerIn(row: number): Offer {
    return this.offers[row]!;
  }

  providerIn(row: number): Provider {
    return this.byNumber[this.provider[row]!]!.provider;
  }

  /** Numbers of providers are below this. */
  get providerNumbers(): number {
    return this.byNumber.length;
  }

  /** A provider with offers on sale of whom this holds; undefined when there is none. */
  anySeller(is: (id: ProviderId) => boolean): Provider | undefined {
    return this.byNumber.find((seller) => seller && is(seller.provider.providerId))?.provider;
  }

  seller(id: ProviderId): { readonly provider: Provider; readonly number: number } | undefined {
    return this.providers.get(id);
  }

  /** Looks at every row: for what seldom happens. */
  *offersOf(id: ProviderId): IterableIterator<OfferId> {
    for (const { providerId, offerId } of this.offers) if (providerId === id) yield offerId;
  }

  /** Offers whose price is more than unit prices: something was bid. */
  get bids(): ReadonlyMap<OfferId, NonNullable<Price['bids']>> {
    return this.bidding;
  }

  /** @param free what is free on its machines, in the offer's order */
  put(offer: Offer, provider: Provider, free: readonly NodeFree[]): void {
    const row = this.rows.get(offer.offerId);
    if (row !== undefined && this.offers[row] === offer) {
      this.putProvider(provider);
      this.frees[row] = freeOf(offer, free);
      return;
    }
    this.remove(offer.offerId);
    this.add(offer, this.sellerRow(provider), free);
  }

  private add(offer: Offer, seller: ProviderRow, free: readonly NodeFree[]): void {
    const row = this.offers.length;
    if (row === this.provider.length) this.grow();
    seller.offers += 1;
    this.rows.set(offer.offerId, row);
    this.offers.push(offer);
    this.frees.push(freeOf(offer, free));
    this.provider[row] = seller.number;
    this.terms[row] = this.termsKinds.add(termsKey(offer), offer);
    this.gpu[row] = this.gpuKinds.add(JSON.stringify(offer.gpu), offer);
    this.shape[row] = this.shapeKinds.add(shapeKey(offer), offer);
    const { perGpu, perCpuCore, perMemoryGiB, perStorageGiB } = offer.price;
    this.prices.set([perGpu, perCpuCore, perMemoryGiB, perStorageGiB].map(nearest), row * PRICES);
    const { bids }: Price = offer.price;
    if (bids) this.bidding.set(offer.offerId, bids);
  }

  private grow(): void {
    const room = 2 * this.provider.length;
    this.provider = grown(this.provider, room);
    this.terms = grown(this.terms, room);
    this.gpu = grown(this.gpu, room);
    this.shape = grown(this.shape, room);
    this.prices = grown(this.prices, room * PRICES);
  }

  /** The last row takes the place of the one that goes. */
  remove(offerId: OfferId): void {
    const row = this.rows.get(offerId);
    if (row === undefined) return;
    this.leaveSeller(this.byNumber[this.provider[row]!]!);
    this.termsKinds.remove(this.terms[row]!);
    this.gpuKinds.remove(this.gpu[row]!);
    this.shapeKinds.remove(this.shape[row]!);
    this.bidding.delete(offerId);
    this.rows.delete(offerId);
    const last = this.offers.length - 1;
    const moved = this.offers.pop()!;
    const free = this.frees.pop()!;
    if (row === last) return;
    this.offers[row] = moved;
    this.frees[row] = free;
    this.rows.set(moved.offerId, row);
    for (const column of [this.provider, this.terms, this.gpu, this.shape]) column[row] = column[last]!;
    this.prices.copyWithin(row * PRICES, last * PRICES, (last + 1) * PRICES);
  }

  /** What is said of a provider has changed. */
  putProvider(provider: Provider): void {
    const seller = this.providers.get(provider.providerId);
    if (!seller || seller.provider === provider) return;
    this.providerKinds.remove(this.kindOfProvider[seller.number]!);
    seller.provider = provider;
    this.nameKind(seller);
  }

  private sellerRow(provider: Provider): ProviderRow {
    const known = this.providers.get(provider.providerId);
    if (known) {
      this.putProvider(provider);
      return known;
    }
    const number = this.unused.pop() ?? this.byNumber.length;
    if (number === this.kindOfProvider.length) this.kindOfProvider = grown(this.kindOfProvider, 2 * number);
    const seller: ProviderRow = { provider, number, offers: 0 };
    this.providers.set(provider.providerId, seller);
    this.byNumber[number] = seller;
    this.nameKind(seller);
    return seller;
  }

  private nameKind({ provider, number }: ProviderRow): void {
    this.kindOfProvider[number] = this.providerKinds.add(providerKey(provider), provider);
  }

  private leaveSeller(seller: ProviderRow): void {
    seller.offers -= 1;
    if (seller.offers > 0) return;
    this.providers.delete(seller.provider.providerId);
    this.providerKinds.remove(this.kindOfProvider[seller.number]!);
    this.byNumber[seller.number] = undefined;
    this.unused.push(seller.number);
  }
}

const freeOf = ({ nodes }: Offer, free: readonly NodeFree[]): readonly NodeFree[] | null =>
  free === nodes || free.every((node, at) => node === nodes[at]) ? null : free;
