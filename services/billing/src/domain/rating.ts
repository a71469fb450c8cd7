import { earnedMicros, type Micros, minMicros, SECONDS_PER_HOUR } from '@gridbourse/kernel';

/** What a lease was agreed at. */
export type LeaseTerms = {
  readonly rateMicrosPerHour: Micros;
  readonly durationSeconds: number;
  readonly lockMicros: Micros;
};

/** What the provider has earned after so many running seconds in all; never more than the lock. */
export const ratedMicros = (terms: LeaseTerms, cumulativeSeconds: number): Micros =>
  minMicros(earnedMicros(terms.rateMicrosPerHour, BigInt(cumulativeSeconds)), terms.lockMicros);

/** How many running seconds the lock pays for: the agreed duration, or less where the lock is smaller than that. */
export const paidSeconds = (terms: LeaseTerms): number => {
  if (terms.rateMicrosPerHour === 0n) return terms.durationSeconds;
  const affordable = (terms.lockMicros * SECONDS_PER_HOUR) / terms.rateMicrosPerHour;
  const duration = BigInt(terms.durationSeconds);
  return Number(affordable < duration ? affordable : duration);
};
