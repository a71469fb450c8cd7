import type { OfferPrice, PlacementGroup, WorkloadSpec } from '@gridbourse/events';
import type { Micros } from '@gridbourse/kernel';
import type { Amounts } from './amounts.ts';

/** CPU is priced by 1,000 millis and memory by 1,024 MiB; this is the common denominator of both. */
const DENOMINATOR = 1_000n * 1_024n;

/** What a group takes; its name tells what was bid for it from what was bid for another. */
export type Taken = Amounts & { readonly group?: string };

/** A price list. `bids` are what is asked for single groups of one order instead, micro-USDC per hour. */
export type Price = OfferPrice & { readonly bids?: ReadonlyMap<string, Micros> };

/** Unit prices times amounts, exactly: in `1 / RATE_SCALE` micro-USDC per hour. */
export const exactRate = (price: OfferPrice, taken: Amounts): bigint =>
  price.perGpu * BigInt(taken.gpus) * DENOMINATOR +
  price.perCpuCore * BigInt(taken.cpuMillis) * 1_024n +
  price.perMemoryGiB * BigInt(taken.memoryMiB) * 1_000n +
  price.perStorageGiB * BigInt(taken.storageMiB) * 1_000n;

export const RATE_SCALE = DENOMINATOR;
const RATE_SCALE_NUMBER = 1_000 * 1_024;

/**
 * Micro-USDC per hour for what is taken: what was bid for the group, else unit prices times amounts, summed exactly and
 * rounded up once per lease.
 */
export const rateMicrosPerHour = (price: Price, taken: Taken): Micros => {
  const bid = taken.group === undefined ? undefined : price.bids?.get(taken.group);
  if (bid !== undefined) return bid;
  const { perGpu, perCpuCore, perMemoryGiB, perStorageGiB } = price;
  return (
    roundedUpRate(
      nearest(perGpu),
      nearest(perCpuCore),
      nearest(perMemoryGiB),
      nearest(perStorageGiB),
      taken,
    ) ?? (exactRate(price, taken) + DENOMINATOR - 1n) / DENOMINATOR
  );
};

/**
 * The rate for what is taken, rounded up, in floating point: several times quicker. Where the last sum is below 2^53 it is
 * exact, and so is each product and sum on the way, for nothing is negative; a remainder is exact always.
 * @param perGpu and the other unit prices: the nearest numbers
 * @returns null when the numbers are too large to be exact
 */
export const roundedUpRate = (
  perGpu: number,
  perCpuCore: number,
  perMemoryGiB: number,
  perStorageGiB: number,
  { gpus, cpuMillis, memoryMiB, storageMiB }: Amounts,
): Micros | null => {
  const exact =
    perGpu * (gpus * RATE_SCALE_NUMBER) +
    perCpuCore * (cpuMillis * 1_024) +
    (perMemoryGiB * memoryMiB + perStorageGiB * storageMiB) * 1_000;
  if (!Number.isSafeInteger(exact)) return null;
  const over = exact % RATE_SCALE_NUMBER;
  return BigInt((exact - over) / RATE_SCALE_NUMBER + (over > 0 ? 1 : 0));
};

/** What the manifest allows for a group, all replicas together, micro-USDC per hour. */
export const groupBudget = (group: PlacementGroup): Micros =>
  group.services.reduce(
    (total, service) => total + BigInt(service.replicas) * service.maxRateMicrosPerHour,
    0n,
  );

const ceilDivide = (a: bigint, b: bigint): bigint => (a + b - 1n) / b;

/**
 * Spreads another budget over the services in the proportion of their prices (evenly by replica when all are free).
 * Each price is rounded up, so a lone offer at exactly the new budget fits; the order's own limit caps the sum.
 */
export const scaleBudget = (spec: WorkloadSpec, maxRateMicrosPerHour: Micros): WorkloadSpec => {
  const total = spec.groups.reduce((budget, group) => budget + groupBudget(group), 0n);
  const replicas = BigInt(
    spec.groups.reduce((count, group) => count + group.services.reduce((n, s) => n + s.replicas, 0), 0),
  );
  return {
    ...spec,
    groups: spec.groups.map((group) => ({
      ...group,
      services: group.services.map((service) => ({
        ...service,
        maxRateMicrosPerHour:
          total === 0n
            ? ceilDivide(maxRateMicrosPerHour, replicas)
            : ceilDivide(service.maxRateMicrosPerHour * maxRateMicrosPerHour, total),
      })),
    })),
  };
};

/** a / b as a number for scores and for showing shares; six digits, exact enough and never used for an amount. */
export const ratio = (a: Micros, b: Micros): number =>
  b === 0n ? 0 : Number((a * 1_000_000n) / b) / 1_000_000;

/**
 * The nearest floating point number: for scores and bounds, and never made into an amount again. Of two amounts the
 * larger never gives the smaller number.
 */
export const nearest = (a: Micros): number => Number(a);
