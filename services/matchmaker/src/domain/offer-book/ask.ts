import { leastRttMs, rttBetweenMs, type RttEnd } from '@gridbourse/catalog';
import type { GeoPoint } from '@gridbourse/kernel';
import { DIMENSIONS } from '../amounts.ts';
import type { Ranking } from '../candidates.ts';
import { nearest } from '../pricing.ts';
import type { GroupNeed } from '../requirements.ts';
import { costTerm, fitTerm, geographyTerm, originOf, scoreOf } from '../scoring.ts';
import { BITS, FIELD, tightestGpus } from './layout.ts';
import { attributeBit, bit64, union, type Vocabulary } from './words.ts';

/** Of what is free now, or of what was declared (as if every lease had ended). */
export type Capacity = 'free' | 'declared';

const EARTH_RADIUS_KM = 6_371.0088;
/** Bounds are computed in another order than the exact figures; this much room keeps rounding from mattering. */
const BELOW = 1 - 1e-9;

export type UnitVector = readonly [x: number, y: number, z: number];

export const unitVector = ({ latitude, longitude }: GeoPoint): UnitVector => {
  const [phi, lambda] = [(latitude * Math.PI) / 180, (longitude * Math.PI) / 180];
  return [Math.cos(phi) * Math.cos(lambda), Math.cos(phi) * Math.sin(lambda), Math.sin(phi)];
};

const outside = (value: number, low: number, high: number): number => Math.max(0, low - value, value - high);

/** Vocabularies that turn names into bits. */
export type Vocabularies = { readonly regions: Vocabulary; readonly storageClasses: Vocabulary };

/** Bit 0: any class at all. */
export const storageBit = (number: number | undefined): number =>
  number === undefined ? 0 : (1 << (1 + (number % 31))) >>> 0;

const storageBits = (need: GroupNeed, { storageClasses }: Vocabularies): number | null => {
  let bits = 0;
  for (const name of need.storageClasses) {
    const bit = name === 'default' ? 1 : storageBit(storageClasses.find(name));
    if (bit === 0) return null;
    bits |= bit;
  }
  return bits >>> 0;
};

/**
 * What one group asks, as questions to a row of the columns: each answer holds for whatever is below the row, and errs on
 * the side of "maybe". Whether an offer really fits is for `fitOf` alone to say.
 */
export class Ask {
  readonly origin: RttEnd | null;
  private readonly here: UnitVector | null;
  private readonly amounts: readonly number[];
  private readonly largest: readonly number[];
  private readonly totals: readonly number[];
  private readonly limit: number;
  private readonly regions: readonly [number, number] | null;
  private readonly attributes: readonly [number, number];
  private readonly storage: number;
  private readonly firstCapacity: number;
  private readonly gpuBits: number;
  /** GPUs of the only pod with GPUs when there is but one pod; else 0. */
  private readonly loneGpus: number;
  /** Nothing on the market can have what is asked. */
  readonly hopeless: boolean;

  constructor(
    private readonly need: GroupNeed,
    vocabularies: Vocabularies,
    capacity: Capacity,
  ) {
    const { group, pods, total } = need;
    this.origin = originOf(need);
    this.here = need.near && unitVector(need.near);
    this.amounts = [total.gpus, total.cpuMillis / 1_000, total.memoryMiB / 1_024, total.storageMiB / 1_024];
    this.largest = DIMENSIONS.map((dimension) => Math.max(...pods.map((pod) => pod.needs[dimension])));
    this.totals = DIMENSIONS.map((dimension) => total[dimension]);
    this.limit = nearest(need.limitMicrosPerHour);
    const known = group.regions.flatMap((region) => vocabularies.regions.find(region) ?? []);
    this.regions = group.regions.length === 0 ? null : union(known.map(bit64));
    this.attributes = union(Object.entries(group.attributes).map(([key, value]) => attributeBit(key, value)));
    const storage = storageBits(need, vocabularies);
    this.storage = storage ?? 0;
    this.hopeless = storage === null || (group.regions.length > 0 && known.length === 0);
    this.firstCapacity = capacity === 'free' ? FIELD.free : FIELD.declared;
    this.gpuBits = capacity === 'free' ? BITS.freeGpus : BITS.declaredGpus;
    this.loneGpus = pods.length === 1 ? pods[0]!.needs.gpus : 0;
  }

  /** Micro-USDC per hour that nothing below the row undercuts. */
  rateAtLeast(fields: Float64Array, at: number): number {
    const { amounts } = this;
    return (
      (fields[at + FIELD.perGpu]! * amounts[0]! +
        fields[at + FIELD.perCpuCore]! * amounts[1]! +
        fields[at + FIELD.perMemoryGiB]! * amounts[2]! +
        fields[at + FIELD.perStorageGiB]! * amounts[3]!) *
      BELOW
    );
  }

  /** Whether anything below the row may fit. */
  mayFit(fields: Float64Array, at: number, bits: Uint32Array, bitsAt: number): boolean {
    const { largest, totals, regions, attributes, storage, need } = this;
    for (let i = 0, field = at + this.firstCapacity; i < 4; i += 1, field += 2) {
      if (-fields[field]! < largest[i]! || -fields[field + 1]! < totals[i]!) return false;
    }
    if (fields[at + FIELD.tier]! > need.group.tierFloor) return false;
    if (fields[at + FIELD.minDuration]! > need.durationSeconds) return false;
    if (-fields[at + FIELD.maxDuration]! < need.durationSeconds) return false;
    const region = bitsAt + BITS.region;
    if (regions && (bits[region]! & regions[0]) === 0 && (bits[region + 1]! & regions[1]) === 0) return false;
    if ((storage & ~bits[bitsAt + BITS.storage]!) !== 0) return false;
    const attribute = bitsAt + BITS.attributes;
    if ((attributes[0] & ~bits[attribute]!) !== 0 || (attributes[1] & ~bits[attribute + 1]!) !== 0)
      return false;
    return this.rateAtLeast(fields, at) <= this.limit;
  }

  /** Round trip that nothing below the row undercuts. */
  private rttAtLeast(fields: Float64Array, at: number): number {
    const [x, y, z] = this.here!;
    const dx = outside(x, fields[at + FIELD.xLow]!, -fields[at + FIELD.xHigh]!);
    const dy = outside(y, fields[at + FIELD.yLow]!, -fields[at + FIELD.yHigh]!);
    const dz = outside(z, fields[at + FIELD.zLow]!, -fields[at + FIELD.zHigh]!);
    const chord = Math.sqrt(dx * dx + dy * dy + dz * dz);
    return leastRttMs(2 * Math.asin(Math.min(1, chord / 2)) * EARTH_RADIUS_KM * BELOW - 1e-3);
  }

  private fitAtMost(
    fields: Float64Array,
    at: number,
    bits: Uint32Array,
    bitsAt: number,
    gpu: boolean,
  ): number {
    if (this.totals[0] === 0) return gpu ? 0 : 1;
    if (this.loneGpus === 0) return 1;
    const left = tightestGpus(bits[bitsAt + this.gpuBits]!, this.loneGpus) - this.loneGpus;
    return fitTerm(left, -fields[at + FIELD.declared]!);
  }

  /**
   * A score that nothing below the row exceeds.
   * @param performance the term of everything below it
   * @param gpu whether it has GPUs
   * @param place of the one offer that the row is of; null for a box
   */
  scoreAtMost(
    { weights, field }: Ranking,
    row: { fields: Float64Array; at: number; bits: Uint32Array; bitsAt: number },
    { performance, gpu, place }: { performance: number; gpu: boolean; place: RttEnd | null },
  ): number {
    const { fields, at, bits, bitsAt } = row;
    const cheapest = nearest(field.cheapest);
    const geography =
      this.origin === null
        ? 1
        : geographyTerm(place ? rttBetweenMs(this.origin, place) : this.rttAtLeast(fields, at));
    return scoreOf(
      {
        cost: costTerm(Math.max(this.rateAtLeast(fields, at), cheapest), this.limit, cheapest),
        geography,
        performance,
        reliability: -fields[at + FIELD.reliabilityHigh]!,
        fit: this.fitAtMost(fields, at, bits, bitsAt, gpu),
      },
      weights,
    );
  }
}
