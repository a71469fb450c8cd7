import type { Instant, Random } from '@gridbourse/kernel';

export type ChallengeKind = 'gpu' | 'cpu';

/**
 * How long until the next challenge, milliseconds, with this mean. Exponential, so that having just been asked tells a
 * provider nothing about when it is asked next. At least one.
 */
export const nextChallengeDelayMs = (random: Random, meanMs: number): number =>
  Math.max(1, Math.round(-meanMs * Math.log(1 - random.next())));

/** Providers with GPUs are asked about them most of the time, others always about their CPUs. */
export const challengeKind = (random: Random, hasGpus: boolean, gpuShare: number): ChallengeKind =>
  hasGpus && random.next() < gpuShare ? 'gpu' : 'cpu';

export const eraOf = (atMs: Instant, eraMs: number): number => Math.floor(atMs / eraMs);
