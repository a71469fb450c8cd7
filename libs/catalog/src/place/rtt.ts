import { distanceKm, type GeoPoint } from '@gridbourse/kernel';
import { LATENCY_CITIES, LATENCY_MS } from './latency.data.ts';

/** Access networks and equipment at both ends, however near they are. */
const BASE_MS = 2;
/** How fast trust in a measured city fades with the distance from it. */
const TRUST_KM = 2_000;
/** Keeps the weight of a city finite when a point lies in it. */
const SOFTENING_KM = 50;

type MeasuredPair = { readonly a: number; readonly b: number; readonly km: number; readonly ms: number };

const cities: readonly GeoPoint[] = LATENCY_CITIES.map(([, latitude, longitude]) => ({
  latitude,
  longitude,
}));

const pairs: readonly MeasuredPair[] = cities.flatMap((from, a) =>
  cities.flatMap((to, b) =>
    b > a ? [{ a, b, km: distanceKm(from, to), ms: (LATENCY_MS[a]![b]! + LATENCY_MS[b]![a]!) / 2 }] : [],
  ),
);

/** The median over the measured pairs; light in a straight fibre would need 0.0098. */
const MS_PER_KM: number = (() => {
  const slopes = pairs.map(({ km, ms }) => (ms - BASE_MS) / km).sort((x, y) => x - y);
  return slopes[Math.floor(slopes.length / 2)]!;
})();

const greatCircleMs = (km: number): number => BASE_MS + MS_PER_KM * km;

/** How much slower (or faster) than the great-circle model each measured pair is. */
const ratios: readonly number[] = pairs.map(({ km, ms }) => ms / greatCircleMs(km));

/** No measured link is faster than this share of the great-circle model; a hair less, so that rounding stays above it. */
const LEAST_FACTOR = Math.min(1, ...ratios) * (1 - 1e-9);

const CITIES = cities.length;
/** Correction of the link from city a to city b, at a x CITIES + b; 0 on the diagonal. */
const ratioOf = new Float64Array(CITIES * CITIES);
pairs.forEach(({ a, b }, at) => {
  ratioOf[a * CITIES + b] = ratios[at]!;
  ratioOf[b * CITIES + a] = ratios[at]!;
});

/** What an estimate needs to know of one of its ends, worked out once. */
export type RttEnd = {
  readonly point: GeoPoint;
  /** Distance to each measured city, kilometres. */
  readonly cityKm: Float64Array;
  /** How much each measured city says about this point. */
  readonly cityWeight: Float64Array;
};

export const rttEnd = (point: GeoPoint): RttEnd => {
  const cityKm = Float64Array.from(cities, (city) => distanceKm(city, point));
  return { point, cityKm, cityWeight: cityKm.map((km) => 1 / (km + SOFTENING_KM) ** 2) };
};

/** As `estimateRttMs`, between ends that were prepared: for one end against many. */
export const rttBetweenMs = (from: RttEnd, to: RttEnd): number => {
  let weights = 0;
  let weighted = 0;
  let nearest = Infinity;
  for (let a = 0; a < CITIES; a += 1) {
    const fromKm = from.cityKm[a]!;
    const fromWeight = from.cityWeight[a]!;
    let inner = 0;
    let innerWeighted = 0;
    for (let b = 0; b < CITIES; b += 1) {
      if (b === a) continue;
      const toWeight = to.cityWeight[b]!;
      inner += toWeight;
      innerWeighted += toWeight * ratioOf[a * CITIES + b]!;
      const km = fromKm + to.cityKm[b]!;
      if (km < nearest) nearest = km;
    }
    weights += fromWeight * inner;
    weighted += fromWeight * innerWeighted;
  }
  const trust = Math.exp(-nearest / TRUST_KM);
  const plain = greatCircleMs(distanceKm(from.point, to.point));
  return Math.max(BASE_MS, plain * (1 + trust * (weighted / weights - 1)));
};

/** No estimate over so many kilometres or more is below this, milliseconds: for leaving out what is too far away. */
export const leastRttMs = (km: number): number => Math.max(BASE_MS, greatCircleMs(km) * LEAST_FACTOR);

/**
 * Estimated round-trip time between two points, milliseconds: great circle at the median speed of the measured links,
 * times the correction that the measured links near both ends show. Between two measured cities it gives their
 * measurement (within 1 ms); far from all of them it falls back to the great circle. Symmetric (to a rounding), at
 * least 2 ms.
 */
export const estimateRttMs = (from: GeoPoint, to: GeoPoint): number => rttBetweenMs(rttEnd(from), rttEnd(to));
