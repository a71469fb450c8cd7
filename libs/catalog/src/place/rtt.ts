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

/**
 * Estimated round-trip time between two points, milliseconds: great circle at the median speed of the measured links,
 * times the correction that the measured links near both ends show. Between two measured cities it gives their
 * measurement (within 1 ms); far from all of them it falls back to the great circle. Symmetric, at least 2 ms.
 */
export const estimateRttMs = (from: GeoPoint, to: GeoPoint): number => {
  const plain = greatCircleMs(distanceKm(from, to));
  const fromKm = cities.map((city) => distanceKm(city, from));
  const toKm = cities.map((city) => distanceKm(city, to));

  let weights = 0;
  let weighted = 0;
  let trust = 0;
  pairs.forEach(({ a, b }, at) => {
    for (const [near, far] of [
      [fromKm[a]!, toKm[b]!],
      [fromKm[b]!, toKm[a]!],
    ] as const) {
      const weight = 1 / ((near + SOFTENING_KM) * (far + SOFTENING_KM)) ** 2;
      weights += weight;
      weighted += weight * ratios[at]!;
      trust = Math.max(trust, Math.exp(-(near + far) / TRUST_KM));
    }
  });
  return Math.max(BASE_MS, plain * (1 + trust * (weighted / weights - 1)));
};
