import { leastRttMs, type RttEnd } from '@gridbourse/catalog';
import type { GeoPoint } from '@gridbourse/kernel';
import { DIMENSIONS } from '../amounts.ts';
import { interconnectRank } from '../interconnect.ts';
import { nearest } from '../pricing.ts';
import type { GroupNeed } from '../requirements.ts';
import { fitTerm, originOf } from '../scoring.ts';
import { BITS, FANOUT, FIELD, FIELDS, lowestBit, tightestGpus, WORDS } from './layout.ts';
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

/** What fields are never above: a limit there keeps nothing out, so the column need not be read. */
const HIGHEST: Readonly<Record<number, number>> = {
  [FIELD.tier]: 7,
  [FIELD.interconnect]: 0,
  ...Object.fromEntries(
    [FIELD.free, FIELD.declared].flatMap((first) =>
      Array.from({ length: 2 * DIMENSIONS.length }, (_, i) => [first + i, 0] as const),
    ),
  ),
};

type Ceiling = { readonly field: number; readonly limit: number };

/** What fields must not be above, those first that keep most out. */
const ceilingsOf = ({ group, pods, total, durationSeconds }: GroupNeed, capacity: Capacity): Ceiling[] => {
  const first = capacity === 'free' ? FIELD.free : FIELD.declared;
  return [
    ...DIMENSIONS.flatMap((dimension, i) => [
      { field: first + 2 * i, limit: -Math.max(...pods.map(({ needs }) => needs[dimension])) },
      // What one replica takes of one machine it also takes of all of them.
      ...(pods.length === 1 ? [] : [{ field: first + 2 * i + 1, limit: -total[dimension] }]),
    ]),
    { field: FIELD.tier, limit: group.tierFloor },
    { field: FIELD.maxDuration, limit: -durationSeconds },
    { field: FIELD.minDuration, limit: durationSeconds },
    { field: FIELD.interconnect, limit: -interconnectRank(group.interconnect) },
  ];
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
  /** Fields that must not be above a limit, by where their columns begin in a node. */
  private readonly columns: readonly number[];
  private readonly limits: readonly number[];
  /** Most that may be paid, micro-USDC per hour. */
  readonly limit: number;
  private readonly anyRegion: boolean;
  private readonly regionsLow: number;
  private readonly regionsHigh: number;
  private readonly attributesLow: number;
  private readonly attributesHigh: number;
  private readonly storage: number;
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
    this.limit = nearest(need.limitMicrosPerHour);
    const known = group.regions.flatMap((region) => vocabularies.regions.find(region) ?? []);
    this.anyRegion = group.regions.length === 0;
    [this.regionsLow, this.regionsHigh] = union(known.map(bit64));
    [this.attributesLow, this.attributesHigh] = union(
      Object.entries(group.attributes).map(([key, value]) => attributeBit(key, value)),
    );
    const storage = storageBits(need, vocabularies);
    this.storage = storage ?? 0;
    this.hopeless = storage === null || (!this.anyRegion && known.length === 0);
    this.gpuBits = capacity === 'free' ? BITS.freeGpus : BITS.declaredGpus;
    this.loneGpus = pods.length === 1 ? pods[0]!.needs.gpus : 0;
    const ceilings = ceilingsOf(need, capacity).filter(
      ({ field, limit }) => limit < (HIGHEST[field] ?? Infinity),
    );
    this.columns = ceilings.map(({ field }) => field * FANOUT);
    this.limits = ceilings.map(({ limit }) => limit);
  }

  /** Micro-USDC per hour that nothing below the row undercuts. */
  rateAtLeast(fields: Float32Array, at: number): number {
    return (
      (fields[at + FIELD.perGpu * FANOUT]! * this.gpus +
        fields[at + FIELD.perCpuCore * FANOUT]! * this.cores +
        fields[at + FIELD.perMemoryGiB * FANOUT]! * this.memoryGiB +
        fields[at + FIELD.perStorageGiB * FANOUT]! * this.storageGiB) *
      BELOW
    );
  }

  /**
   * Which entries of a node have something below them that may fit: bit n stands for entry n. Column by column, since the
   * columns of a node lie together and most of them need not be read.
   */
  mayFit(fields: Float32Array, bits: Uint32Array, node: number, size: number): number {
    const { columns, limits } = this;
    const first = node * FIELDS * FANOUT;
    let mask = (1 << size) - 1;
    for (let column = 0; column < columns.length && mask !== 0; column += 1) {
      const at = first + columns[column]!;
      const limit = limits[column]!;
      for (let place = 0; place < size; place += 1) if (fields[at + place]! > limit) mask &= ~(1 << place);
    }
    mask = this.wordsSuit(bits, node * WORDS * FANOUT, size, mask);
    for (let rest = mask; rest !== 0; rest &= rest - 1) {
      const place = lowestBit(rest);
      if (this.rateAtLeast(fields, first + place) > this.limit) mask &= ~(1 << place);
    }
    return mask;
  }

  /** Of the entries in the mask those whose regions, attributes and storage classes may do. */
  private wordsSuit(bits: Uint32Array, first: number, size: number, mask: number): number {
    const { regionsLow, regionsHigh, attributesLow, attributesHigh, storage } = this;
    let suiting = mask;
    if (!this.anyRegion) {
      for (let place = 0, at = first + BITS.region * FANOUT; place < size; place += 1, at += 1) {
        if ((bits[at]! & regionsLow) === 0 && (bits[at + FANOUT]! & regionsHigh) === 0)
          suiting &= ~(1 << place);
      }
    }
    if (attributesLow !== 0 || attributesHigh !== 0) {
      for (let place = 0, at = first + BITS.attributes * FANOUT; place < size; place += 1, at += 1) {
        if ((attributesLow & ~bits[at]!) !== 0 || (attributesHigh & ~bits[at + FANOUT]!) !== 0)
          suiting &= ~(1 << place);
      }
    }
    if (storage !== 0) {
      for (let place = 0, at = first + BITS.storage * FANOUT; place < size; place += 1, at += 1) {
        if ((storage & ~bits[at]!) !== 0) suiting &= ~(1 << place);
      }
    }
    return suiting;
  }

  /** Round trip that nothing below the row undercuts, milliseconds. */
  rttAtLeast(fields: Float32Array, at: number): number {
    const dx = outside(this.x, fields[at + FIELD.xLow * FANOUT]!, -fields[at + FIELD.xHigh * FANOUT]!);
    const dy = outside(this.y, fields[at + FIELD.yLow * FANOUT]!, -fields[at + FIELD.yHigh * FANOUT]!);
    const dz = outside(this.z, fields[at + FIELD.zLow * FANOUT]!, -fields[at + FIELD.zHigh * FANOUT]!);
    const chord = Math.sqrt(dx * dx + dy * dy + dz * dz);
    return leastRttMs(2 * Math.asin(Math.min(1, chord / 2)) * EARTH_RADIUS_KM * BELOW - SLACK_KM);
  }

  /** The fit of whatever is below the row, at most. @param gpu whether it has GPUs */
  fitAtMost(fields: Float32Array, at: number, bits: Uint32Array, bitsAt: number, gpu: boolean): number {
    if (this.gpus === 0) return gpu ? 0 : 1;
    if (this.loneGpus === 0) return 1;
    const left = tightestGpus(bits[bitsAt + this.gpuBits * FANOUT]!, this.loneGpus) - this.loneGpus;
    return fitTerm(left, -fields[at + FIELD.declared * FANOUT]!);
  }
}
