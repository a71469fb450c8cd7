import { findGpu, rttBetweenMs, type RttEnd, rttEnd, throughput, unitShare } from '@gridbourse/catalog';
import { type GpuRequest, INTERCONNECTS, type OfferGpu } from '@gridbourse/events';
import type { BenchMarket } from './market.ts';
import type { MatchRequest } from '@gridbourse/matchmaker/matching';
import { PROFILE_WEIGHTS } from '@gridbourse/matchmaker/matching';

/** Whether GPUs of this kind, sold so, are what was asked for: models without memory and interface, as the orders have it. */
const suitsRequest = (gpu: OfferGpu | null, { vendor, models, sharing }: GpuRequest): boolean => {
  if (gpu?.vendor !== vendor) return false;
  const sold = gpu.sharing;
  const sharedAlike =
    sharing.mode === 'shared'
      ? sold.mode === 'shared' && sharing.milli * sold.slotsPerGpu <= 1_000
      : sharing.mode === sold.mode;
  const profile = sold.mode === 'mig' ? sold.profile : null;
  const named = models.some(
    (entry) => entry.model === gpu.model && (entry.migProfile === null || entry.migProfile === profile),
  );
  return sharedAlike && (models.length === 0 || named);
};

/** For scores only. */
const nearest = (a: bigint): number => Number(a);

/**
 * The peer: plain typed arrays, every offer looked at for every order. Filters and score are those of the engine, for orders
 * of one replica; the round trips to all places are worked out once an order, the rest is arithmetic on columns.
 */
export class TypedArrayScan {
  private readonly size: number;
  /** Kind of GPU and of sale. */
  private readonly kind: Uint16Array;
  private readonly speed: Float64Array;
  private readonly region: Uint16Array;
  private readonly tier: Uint8Array;
  private readonly reliability: Float64Array;
  private readonly fastNetwork: Uint8Array;
  private readonly interconnect: Uint8Array;
  private readonly site: Uint16Array;
  private readonly minSeconds: Float64Array;
  private readonly maxSeconds: Float64Array;
  private readonly prices: readonly Float64Array[];
  /** First machine and one past the last of each offer. */
  private readonly firstNode: Uint32Array;
  private readonly free: readonly Float64Array[];
  private readonly declaredGpus: Float64Array;
  private readonly kinds: (OfferGpu | null)[] = [];
  private readonly regions = new Map<string, number>();
  private readonly sites: RttEnd[] = [];
  private readonly rates: Float64Array;
  private readonly fits: Float64Array;
  private readonly hits: Uint32Array;

  constructor({ market, book }: BenchMarket) {
    const offers = [...market.offers()];
    const size = offers.length;
    this.size = size;
    const numberOf = (numbers: Map<string, number>, word: string): number => {
      if (!numbers.has(word)) numbers.set(word, numbers.size);
      return numbers.get(word)!;
    };
    const siteNumbers = new Map<string, number>();
    const kindNumbers = new Map<string, number>();
    this.kind = new Uint16Array(size);
    this.speed = new Float64Array(size);
    this.region = new Uint16Array(size);
    this.tier = new Uint8Array(size);
    this.reliability = new Float64Array(size);
    this.fastNetwork = new Uint8Array(size);
    this.interconnect = new Uint8Array(size);
    this.site = new Uint16Array(size);
    this.minSeconds = new Float64Array(size);
    this.maxSeconds = new Float64Array(size);
    this.prices = [0, 1, 2, 3].map(() => new Float64Array(size));
    this.firstNode = new Uint32Array(size + 1);
    this.rates = new Float64Array(size);
    this.fits = new Float64Array(size);
    this.hits = new Uint32Array(size);
    const uptimes = [0.99, 0.98, 0.97, 0.95, 0.9, 0.75, 0];
    const free: [number, number, number, number][] = [];
    const declared: number[] = [];
    offers.forEach((offer, i) => {
      const provider = market.provider(offer.providerId)!;
      const gpu = offer.gpu && findGpu(offer.gpu.model);
      this.kind[i] = numberOf(kindNumbers, JSON.stringify(offer.gpu));
      this.kinds[this.kind[i]] = offer.gpu;
      this.speed[i] =
        gpu && offer.gpu
          ? throughput(gpu, 'general', offer.gpu) * unitShare(offer.gpu, offer.gpu.sharing).compute
          : 0;
      this.region[i] = numberOf(this.regions, provider.place.region);
      this.tier[i] = provider.tier;
      const uptime = provider.uptime ?? uptimes[provider.tier - 1]!;
      this.reliability[i] =
        (5 / 8) * ((7 - provider.tier) / 6) +
        (2 / 8) * (Math.max(0, uptime - 0.75) / 0.25) +
        (1 / 8) * Math.min(1, provider.erasClosed / 30);
      this.interconnect[i] = INTERCONNECTS.indexOf(offer.interconnect);
      this.fastNetwork[i] = provider.attributes['network'] === '100g' ? 1 : 0;
      const { location } = provider.place;
      this.site[i] = numberOf(siteNumbers, `${location.latitude}|${location.longitude}`);
      this.sites[this.site[i]] ??= rttEnd(location);
      this.minSeconds[i] = offer.policy.minDurationSeconds;
      this.maxSeconds[i] = offer.policy.maxDurationSeconds;
      const { perGpu, perCpuCore, perMemoryGiB, perStorageGiB } = offer.price;
      [perGpu, perCpuCore, perMemoryGiB, perStorageGiB].forEach(
        (unit, d) => (this.prices[d]![i] = Number(unit)),
      );
      for (const node of book.free(offer))
        free.push([node.gpus, node.cpuMillis, node.memoryMiB, node.storageMiB]);
      for (const node of offer.nodes) declared.push(node.gpus);
      this.firstNode[i + 1] = free.length;
    });
    this.free = [0, 1, 2, 3].map((d) => Float64Array.from(free, (node) => node[d]!));
    this.declaredGpus = Float64Array.from(declared);
  }

  /** Scores of the best, best first. */
  best(request: MatchRequest, count: number): number[] {
    const group = request.spec.groups[0]!;
    const { resources } = group.services[0]!;
    const gpus = resources.gpu!.count;
    const [cores, memory, storage] = [
      resources.cpuMillis / 1_000,
      resources.memoryMiB / 1_024,
      resources.volumes[0]!.sizeMiB / 1_024,
    ];
    const limit = nearest(request.maxRateMicrosPerHour);
    const suits = Uint8Array.from(this.kinds, (gpu) => (suitsRequest(gpu, resources.gpu!) ? 1 : 0));
    const network = INTERCONNECTS.indexOf(group.interconnect ?? 'ethernet');
    const inRegion = new Uint8Array(this.regions.size).fill(group.regions.length === 0 ? 1 : 0);
    for (const region of group.regions) if (this.regions.has(region)) inRegion[this.regions.get(region)!] = 1;
    const wantsNetwork = group.attributes['network'] === '100g';
    const seconds = request.spec.durationSeconds;
    const [perGpu, perCore, perMemory, perStorage] = this.prices as [
      Float64Array,
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    let hits = 0;
    let cheapest = Infinity;
    let fastest = 0;
    for (let i = 0; i < this.size; i += 1) {
      if (suits[this.kind[i]!] === 0 || inRegion[this.region[i]!] === 0) continue;
      if (this.tier[i]! > group.tierFloor || (wantsNetwork && this.fastNetwork[i] === 0)) continue;
      if (this.interconnect[i]! < network) continue;
      if (seconds < this.minSeconds[i]! || seconds > this.maxSeconds[i]!) continue;
      const rate = Math.ceil(
        perGpu[i]! * gpus + perCore[i]! * cores + perMemory[i]! * memory + perStorage[i]! * storage,
      );
      if (rate > limit) continue;
      const fit = this.fitOf(
        i,
        gpus,
        resources.cpuMillis,
        resources.memoryMiB,
        resources.volumes[0]!.sizeMiB,
      );
      if (fit < 0) continue;
      this.hits[hits] = i;
      this.rates[hits] = rate;
      this.fits[hits] = fit;
      hits += 1;
      if (rate < cheapest) cheapest = rate;
      if (this.speed[i]! > fastest) fastest = this.speed[i]!;
    }
    return this.rank(request, gpus, { hits, cheapest, fastest, limit, count });
  }

  /** On the fullest machine with room; -1 when there is none. */
  private fitOf(offer: number, gpus: number, cpu: number, memory: number, storage: number): number {
    const [g, c, m, s] = this.free as [Float64Array, Float64Array, Float64Array, Float64Array];
    let best = -1;
    for (let n = this.firstNode[offer]!; n < this.firstNode[offer + 1]!; n += 1) {
      if (g[n]! < gpus || c[n]! < cpu || m[n]! < memory || s[n]! < storage) continue;
      if (best < 0 || g[n]! < g[best]! || (g[n] === g[best] && c[n]! < c[best]!)) best = n;
    }
    return best < 0 ? -1 : 1 - (g[best]! - gpus) / this.declaredGpus[best]!;
  }

  private rank(
    request: MatchRequest,
    gpus: number,
    of: { hits: number; cheapest: number; fastest: number; limit: number; count: number },
  ): number[] {
    const weights = PROFILE_WEIGHTS[request.profile];
    const performance = weights.performance * (1 + Math.min(1, gpus / 8));
    const total = weights.cost + weights.geography + performance + weights.reliability + weights.fit;
    const origin = request.near && rttEnd(request.near);
    const near =
      origin && Float64Array.from(this.sites, (site) => Math.max(0, 1 - rttBetweenMs(origin, site) / 300));
    const best: number[] = [];
    for (let h = 0; h < of.hits; h += 1) {
      const i = this.hits[h]!;
      const rate = this.rates[h]!;
      const cost = (1 - rate / of.limit + of.cheapest / rate) / 2;
      const score =
        (weights.cost * cost +
          weights.geography * (near ? near[this.site[i]!]! : 1) +
          (performance * this.speed[i]!) / of.fastest +
          weights.reliability * this.reliability[i]! +
          weights.fit * this.fits[h]!) /
        total;
      if (best.length === of.count && score <= best[of.count - 1]!) continue;
      let at = best.length < of.count ? best.length : of.count - 1;
      for (; at > 0 && best[at - 1]! < score; at -= 1) best[at] = best[at - 1]!;
      best[at] = score;
    }
    return best;
  }
}
