import { leastRttMs, type RttEnd } from '@gridbourse/catalog';
import type { GeoPoint } from '@gridbourse/kernel';
import { DIMENSIONS } from '../amounts.ts';
import type { Ranking } from '../candidates.ts';
import { interconnectRank } from '../interconnect.ts';
import { nearest } from '../pricing.ts';
import type { GroupNeed } from '../requirements.ts';
import { costTerm, fitTerm, geographyTerm, originOf, scoreOf } from '../scoring.ts';
import { BITS, FANOUT, FIELD, tightestGpus } from './layout.ts';
import { attributeBit, bit64, union, type Vocabulary } from './words.ts';

/** Of what is free now, or of what was declared (as if every lease had ended). */
export type Capacity = 'free' | 'declared';

const EARTH_RADIUS_KM = 6_371.0088;
/** Bounds are computed in another order than the exact figures; this much room keeps rounding from mattering. */
const BELOW = 1 - 1e-9;
/** Of two points on opposite sides of the earth the formulas differ by as much as rounding is magnified there. */
const SLACK_KM = 1e-3;

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

/** Where an entry's row begins in the columns, of an offer or of a box. */
export type RowPlace = {
  readonly fields: Float64Array;
  readonly at: number;
  readonly bits: Uint32Array;
  readonly bitsAt: number;
};

/**
 * What one group asks, as questions to a row of the columns: each answer holds for whatever is below the row, and errs on
 * the side of "maybe". Whether an offer really fits is for `fitOf` alone to say. Plain numbers throughout: these questions
 * are asked a thousand times for each order.
 */
export class Ask {
  readonly origin: RttEnd | null;
  private readonly x: number;
  private readonly y: number;
  private readonly z: number;
  /** In the units of the prices. */
  private readonly gpus: number;
  private readonly cores: number;
  private readonly memoryGiB: number;
  private readonly storageGiB: number;
  /** Of each dimension the largest replica and the sum, negated as the columns have them. */
  private readonly sizes: Float64Array;
  private readonly limit: number;
  private readonly tierFloor: number;
  private readonly durationSeconds: number;
  /** Negated as the column has it. */
  private readonly interconnect: number;
  private readonly anyRegion: boolean;
  private readonly regionsLow: number;
  private readonly regionsHigh: number;
  private readonly attributesLow: number;
  private readonly attributesHigh: number;
  private readonly storage: number;
  private readonly firstCapacity: number;
  private readonly gpuBits: number;
  /** GPUs of the only replica when there is but one; else 0. */
  private readonly loneGpus: number;
  /** Nothing on the market can have what is asked. */
  readonly hopeless: boolean;

  constructor(need: GroupNeed, vocabularies: Vocabularies, capacity: Capacity) {
    const { group, pods, total } = need;
    this.origin = originOf(need);
    [this.x, this.y, this.z] = need.near ? unitVector(need.near) : [0, 0, 0];
    this.gpus = total.gpus;
    this.cores = total.cpuMillis / 1_000;
    this.memoryGiB = total.memoryMiB / 1_024;
    this.storageGiB = total.storageMiB / 1_024;
    this.sizes = new Float64Array(2 * DIMENSIONS.length);
    DIMENSIONS.forEach((dimension, i) => {
      this.sizes[2 * i] = -Math.max(...pods.map((pod) => pod.needs[dimension]));
      this.sizes[2 * i + 1] = -total[dimension];
    });
    this.limit = nearest(need.limitMicrosPerHour);
    this.tierFloor = group.tierFloor;
    this.durationSeconds = need.durationSeconds;
    this.interconnect = -interconnectRank(group.interconnect);
    const known = group.regions.flatMap((region) => vocabularies.regions.find(region) ?? []);
    this.anyRegion = group.regions.length === 0;
    [this.regionsLow, this.regionsHigh] = union(known.map(bit64));
    [this.attributesLow, this.attributesHigh] = union(
      Object.entries(group.attributes).map(([key, value]) => attributeBit(key, value)),
    );
    const storage = storageBits(need, vocabularies);
    this.storage = storage ?? 0;
    this.hopeless = storage === null || (!this.anyRegion && known.length === 0);
    this.firstCapacity = capacity === 'free' ? FIELD.free : FIELD.declared;
    this.gpuBits = capacity === 'free' ? BITS.freeGpus : BITS.declaredGpus;
    this.loneGpus = pods.length === 1 ? pods[0]!.needs.gpus : 0;
  }

  /** Micro-USDC per hour that nothing below the row undercuts. */
  rateAtLeast(fields: Float64Array, at: number): number {
    return (
      (fields[at + FIELD.perGpu * FANOUT]! * this.gpus +
        fields[at + FIELD.perCpuCore * FANOUT]! * this.cores +
        fields[at + FIELD.perMemoryGiB * FANOUT]! * this.memoryGiB +
        fields[at + FIELD.perStorageGiB * FANOUT]! * this.storageGiB) *
      BELOW
    );
  }

  /** Whether anything below the row may fit. */
  mayFit(fields: Float64Array, at: number, bits: Uint32Array, bitsAt: number): boolean {
    const { sizes, storage, attributesLow, attributesHigh } = this;
    if (fields[at + FIELD.tier * FANOUT]! > this.tierFloor) return false;
    const region = bitsAt + BITS.region * FANOUT;
    if (
      !this.anyRegion &&
      (bits[region]! & this.regionsLow) === 0 &&
      (bits[region + FANOUT]! & this.regionsHigh) === 0
    )
      return false;
    for (let i = 0, field = at + this.firstCapacity * FANOUT; i < 8; i += 1, field += FANOUT) {
      if (fields[field]! > sizes[i]!) return false;
    }
    const attribute = bitsAt + BITS.attributes * FANOUT;
    if ((attributesLow & ~bits[attribute]!) !== 0 || (attributesHigh & ~bits[attribute + FANOUT]!) !== 0)
      return false;
    if ((storage & ~bits[bitsAt + BITS.storage * FANOUT]!) !== 0) return false;
    if (fields[at + FIELD.minDuration * FANOUT]! > this.durationSeconds) return false;
    if (fields[at + FIELD.maxDuration * FANOUT]! > -this.durationSeconds) return false;
    if (fields[at + FIELD.interconnect * FANOUT]! > this.interconnect) return false;
    return this.rateAtLeast(fields, at) <= this.limit;
  }

  /** Round trip that nothing below the row undercuts, milliseconds. */
  rttAtLeast(fields: Float64Array, at: number): number {
    const dx = outside(this.x, fields[at + FIELD.xLow * FANOUT]!, -fields[at + FIELD.xHigh * FANOUT]!);
    const dy = outside(this.y, fields[at + FIELD.yLow * FANOUT]!, -fields[at + FIELD.yHigh * FANOUT]!);
    const dz = outside(this.z, fields[at + FIELD.zLow * FANOUT]!, -fields[at + FIELD.zHigh * FANOUT]!);
    const chord = Math.sqrt(dx * dx + dy * dy + dz * dz);
    return leastRttMs(2 * Math.asin(Math.min(1, chord / 2)) * EARTH_RADIUS_KM * BELOW - SLACK_KM);
  }

  private fitAtMost({ fields, at, bits, bitsAt }: RowPlace, gpu: boolean): number {
    if (this.gpus === 0) return gpu ? 0 : 1;
    if (this.loneGpus === 0) return 1;
    const left = tightestGpus(bits[bitsAt + this.gpuBits * FANOUT]!, this.loneGpus) - this.loneGpus;
    return fitTerm(left, -fields[at + FIELD.declared * FANOUT]!);
  }

  /**
   * A score that nothing below the row exceeds.
   * @param performance the term of everything below it
   * @param gpu whether it has GPUs
   * @param roundTripMs that nothing below it undercuts; whatever where the tenant's place is not known
   */
  scoreAtMost(
    { weights, field }: Ranking,
    row: RowPlace,
    { performance, gpu, roundTripMs }: { performance: number; gpu: boolean; roundTripMs: number },
  ): number {
    const cheapest = nearest(field.cheapest);
    return scoreOf(
      {
        cost: costTerm(Math.max(this.rateAtLeast(row.fields, row.at), cheapest), this.limit, cheapest),
        geography: this.origin === null ? 1 : geographyTerm(roundTripMs),
        performance,
        reliability: -row.fields[row.at + FIELD.reliabilityHigh * FANOUT]!,
        fit: this.fitAtMost(row, gpu),
      },
      weights,
    );
  }
}
