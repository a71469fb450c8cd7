import { earnedMicros, type Instant, type Micros, minMicros, SECONDS_PER_HOUR } from '@gridbourse/kernel';

/** What a lease was agreed at. */
export type LeaseTerms = {
  readonly rateMicrosPerHour: Micros;
  readonly durationSeconds: number;
  readonly lockMicros: Micros;
};

/** What has become of a lock since the lease was opened. */
export type LockChange = {
  /** Added by extensions. */
  readonly addedMicros: Micros;
  /** Given back to the tenant when the lease was stopped. */
  readonly freedMicros: Micros;
  /** A stopped lease earns nothing after this instant; null while nobody has stopped it. */
  readonly stopsAtMs: Instant | null;
};

export const unchangedLock: LockChange = { addedMicros: 0n, freedMicros: 0n, stopsAtMs: null };

/** The running seconds that extensions have paid for. */
const addedSeconds = ({ rateMicrosPerHour }: LeaseTerms, { addedMicros }: LockChange): number =>
  rateMicrosPerHour === 0n ? 0 : Number((addedMicros * SECONDS_PER_HOUR) / rateMicrosPerHour);

/** The terms as the chain has them now: an extension adds to the lock and to the duration, a stop takes from the lock. */
export const termsNow = (agreed: LeaseTerms, change: LockChange): LeaseTerms => ({
  ...agreed,
  durationSeconds: agreed.durationSeconds + addedSeconds(agreed, change),
  lockMicros: agreed.lockMicros + change.addedMicros - change.freedMicros,
});

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
