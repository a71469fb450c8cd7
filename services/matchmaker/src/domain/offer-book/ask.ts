import { leastRttMs, type RttEnd } from '@gridbourse/catalog';
import type { GeoPoint } from '@gridbourse/kernel';
import { type Dimension, DIMENSIONS } from '../amounts.ts';
import { type Check, PROVIDER_NAME_CHECKS, WORD_CHECKS } from '../constraints.ts';
import { interconnectRank } from '../interconnect.ts';
import { nearest } from '../pricing.ts';
import type { GroupNeed } from '../requirements.ts';
import { fitTerm, originOf } from '../scoring.ts';
import type { Columns } from './columns.ts';
import { halfBelow, halfOf, limitWord, wholeOf, withinLimits } from './halves.ts';
import {
  BITS,
  BITS_AT,
  FANOUT,
  FIELD,
  FIELDS_AT,
  HALF,
  lowestBit,
  NODE_WORDS,
  PAIRS,
  tightestGpus,
} from './layout.ts';
import { attributeBit, bit64, type Bits64, NO_BITS, storageBit, union, type Vocabulary } from './words.ts';

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

/** With more regions than these, several have the same bit, and a row can but guess. */
const REGION_BITS = 64;

/** Of all that must be there. */
const traitBits = ({ group: { attributes }, storageClasses }: GroupNeed): Bits64 => {
  const keys = Object.keys(attributes);
  if (keys.length + storageClasses.length === 0) return NO_BITS;
  return union([
    ...keys.map((key) => attributeBit(key, attributes[key]!)),
    ...storageClasses.map((name) => storageBit(name === 'default' ? null : name)),
  ]);
};

const regionBits = ({ regions }: GroupNeed['group'], known: Vocabulary): Bits64 =>
  regions.length === 0 ? NO_BITS : union(regions.flatMap((name) => bitOf(known.find(name))));

const bitOf = (number: number | undefined): Bits64[] => (number === undefined ? [] : [bit64(number)]);

const largestOf = (pods: GroupNeed['pods'], dimension: Dimension): number => {
  let largest = 0;
  for (const { needs } of pods) if (needs[dimension] > largest) largest = needs[dimension];
  return largest;
};

/** The limits on a row of columns of halves, as limit words. */
const limitsOf = ({ group, pods, total, durationSeconds }: GroupNeed, capacity: Capacity): Int32Array => {
  const most = DIMENSIONS.map((dimension) => halfBelow(largestOf(pods, dimension)));
  // What one replica takes of one machine it also takes of all of them.
  const totals = pods.length === 1 ? [] : DIMENSIONS.map((dimension) => halfBelow(total[dimension]));
  const terms = [
    halfOf(group.tierFloor),
    halfOf(durationSeconds),
    halfBelow(durationSeconds),
    halfBelow(interconnectRank(group.interconnect)),
  ];
  const limits = capacity === 'free' ? [...terms, ...most, ...totals] : [...totals, ...most, ...terms];
  return Int32Array.from(limits, limitWord);
};

/** Where the columns begin that the limits are for. */
const firstColumn = (pods: GroupNeed['pods'], capacity: Capacity): number => {
  if (capacity === 'free') return HALF.tier;
  return pods.length === 1 ? HALF.declaredMost : HALF.declaredTotal;
};

const doubtsOf = (
  { group, storageClasses, include, exclude, declinedBy }: GroupNeed,
  regions: Vocabulary,
): Check[] => {
  const doubts: Check[] = [];
  if (group.regions.length > 0 && regions.size > REGION_BITS) doubts.push(WORD_CHECKS.region);
  if (Object.keys(group.attributes).length > 0) doubts.push(WORD_CHECKS.attributes);
  if (storageClasses.length > 0) doubts.push(WORD_CHECKS.storageClass);
  if (include.size + exclude.size + declinedBy.size > 0) doubts.push(...PROVIDER_NAME_CHECKS);
  return doubts;
};

/**
 * What one group asks, as questions to a row of the columns. Each answer holds for whatever is below the row, and errs on the
 * side of "maybe"; of a single offer it is final for tier and network, and for words unless they are among the doubts. Plain
 * numbers throughout: these questions are asked a thousand times for each order.
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
  /** What must not be above a limit: where the first of the columns begins in a node, and the limits. */
  private readonly limitsAt: number;
  private readonly limits: Int32Array;
  /** Most that may be paid, micro-USDC per hour. */
  readonly limit: number;
  private readonly anyRegion: boolean;
  private readonly regionsLow: number;
  private readonly regionsHigh: number;
  private readonly traitsLow: number;
  private readonly traitsHigh: number;
  private readonly gpuBits: number;
  /** GPUs of the only replica when there is but one; else 0. */
  private readonly loneGpus: number;
  /** Nothing on the market can have what is asked. */
  readonly hopeless: boolean;
  /** What rows only guess, and has to be asked of an offer itself. */
  readonly doubts: readonly Check[];

  constructor(need: GroupNeed, regions: Vocabulary, capacity: Capacity) {
    const { group, pods, total } = need;
    this.origin = originOf(need);
    [this.x, this.y, this.z] = need.near ? unitVector(need.near) : [0, 0, 0];
    this.gpus = total.gpus;
    this.cores = total.cpuMillis / 1_000;
    this.memoryGiB = total.memoryMiB / 1_024;
    this.storageGiB = total.storageMiB / 1_024;
    this.limit = nearest(need.limitMicrosPerHour);
    this.anyRegion = group.regions.length === 0;
    [this.regionsLow, this.regionsHigh] = regionBits(group, regions);
    [this.traitsLow, this.traitsHigh] = traitBits(need);
    this.hopeless = !this.anyRegion && this.regionsLow === 0 && this.regionsHigh === 0;
    this.gpuBits = capacity === 'free' ? BITS.freeGpus : BITS.declaredGpus;
    this.loneGpus = pods.length === 1 ? pods[0]!.needs.gpus : 0;
    this.doubts = doubtsOf(need, regions);
    this.limitsAt = firstColumn(pods, capacity) * PAIRS;
    this.limits = limitsOf(need, capacity);
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
   * Which of the first so many entries of a node have something below them that may fit: bit n stands for entry n. Column by
   * column, since the columns of a node lie together and most of them need not be read.
   */
  mayFit({ fields, words }: Columns, node: number, size: number): number {
    const at = node * NODE_WORDS;
    const within = withinLimits(words, at + this.limitsAt, this.limits) & ((1 << size) - 1);
    let mask = this.wordsSuit(words, at + BITS_AT, within);
    for (let rest = mask; rest !== 0; rest &= rest - 1) {
      const place = lowestBit(rest);
      if (this.rateAtLeast(fields, at + FIELDS_AT + place) > this.limit) mask &= ~(1 << place);
    }
    return mask;
  }

  /** Of the entries in the mask those whose regions and traits may do. */
  private wordsSuit(words: Int32Array, first: number, mask: number): number {
    const { regionsLow, regionsHigh, traitsLow, traitsHigh } = this;
    let suiting = mask;
    if (!this.anyRegion) {
      for (let rest = suiting, bits = first + BITS.region * FANOUT; rest !== 0; rest &= rest - 1) {
        const at = bits + lowestBit(rest);
        if ((words[at]! & regionsLow) === 0 && (words[at + FANOUT]! & regionsHigh) === 0)
          suiting &= ~(rest & -rest);
      }
    }
    if (traitsLow !== 0 || traitsHigh !== 0) {
      for (let rest = suiting, bits = first + BITS.traits * FANOUT; rest !== 0; rest &= rest - 1) {
        const at = bits + lowestBit(rest);
        if ((traitsLow & ~words[at]!) !== 0 || (traitsHigh & ~words[at + FANOUT]!) !== 0)
          suiting &= ~(rest & -rest);
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

  /** The fit of whatever is below an entry, at most. @param gpu whether it has GPUs */
  fitAtMost(columns: Columns, node: number, place: number, gpu: boolean): number {
    if (this.gpus === 0) return gpu ? 0 : 1;
    if (this.loneGpus === 0) return 1;
    const bits = columns.words[node * NODE_WORDS + BITS_AT + this.gpuBits * FANOUT + place]!;
    const left = tightestGpus(bits, this.loneGpus) - this.loneGpus;
    return left === 0 ? 1 : fitTerm(left, wholeOf(columns.half(node, place, HALF.declaredMost)));
  }
}
