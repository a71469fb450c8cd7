/** 1 (best) to 7. */
export type Tier = 1 | 2 | 3 | 4 | 5 | 6 | 7;

export type TierRule = {
  readonly tier: Tier;
  readonly name: string;
  /** Share of challenges answered in an era, from 0 to 1, at or above which the tier is deserved. */
  readonly uptimeAtLeast: number;
  /** 95th percentile of the response times of an era, milliseconds, below which the tier is deserved. */
  readonly responseP95BelowMs: number;
  /** Eras in a row that deserve better than the tier below, before a provider rises to this tier. */
  readonly erasToRise: number;
  /** Eras in a row that deserve worse than this tier, before a provider falls from it. */
  readonly erasToFall: number;
};

/**
 * Tiers 1 to 6 with their limits; tier 7 is for whoever deserves none of them. Uptime limits and waiting eras follow the Spheron protocol's published table (with the
 * whitepaper's lower end), response limits the whitepaper's two ends with even steps between.
 */
export const DEFAULT_TIERS: readonly TierRule[] = [
  {
    tier: 1,
    name: 'Most Trusted',
    uptimeAtLeast: 0.99,
    responseP95BelowMs: 100,
    erasToRise: 30,
    erasToFall: 32,
  },
  {
    tier: 2,
    name: 'Highly Trusted',
    uptimeAtLeast: 0.98,
    responseP95BelowMs: 180,
    erasToRise: 23,
    erasToFall: 25,
  },
  { tier: 3, name: 'Trusted', uptimeAtLeast: 0.97, responseP95BelowMs: 260, erasToRise: 17, erasToFall: 20 },
  {
    tier: 4,
    name: 'Somewhat Trusted',
    uptimeAtLeast: 0.95,
    responseP95BelowMs: 340,
    erasToRise: 11,
    erasToFall: 14,
  },
  {
    tier: 5,
    name: 'Less Trusted',
    uptimeAtLeast: 0.9,
    responseP95BelowMs: 420,
    erasToRise: 5,
    erasToFall: 7,
  },
  { tier: 6, name: 'Untrusted', uptimeAtLeast: 0.75, responseP95BelowMs: 500, erasToRise: 3, erasToFall: 5 },
];

/** Where a provider begins: the best of the "community" tiers. It has shown nothing yet, and is not distrusted for it. */
export const FIRST_TIER: Tier = 4;
const WORST_TIER: Tier = 7;

export type EraResult = {
  readonly challengesSent: number;
  readonly challengesAnswered: number;
  /** Null when nothing was answered. */
  readonly responseP95Ms: number | null;
};

/**
 * The tier that one era deserves: the worse of what uptime and response time deserve. Null when nothing was asked,
 * which proves nothing.
 */
export const deservedTier = (rules: readonly TierRule[], result: EraResult): Tier | null => {
  if (result.challengesSent === 0) return null;
  const uptime = result.challengesAnswered / result.challengesSent;
  const p95 = result.responseP95Ms ?? Number.POSITIVE_INFINITY;
  return (
    rules.find((rule) => uptime >= rule.uptimeAtLeast && p95 < rule.responseP95BelowMs)?.tier ?? WORST_TIER
  );
};

export type Standing = {
  readonly tier: Tier;
  /** Eras in a row, up to now, that deserved better than `tier`. */
  readonly betterEras: number;
  /** Eras in a row, up to now, that deserved worse than `tier`. */
  readonly worseEras: number;
};

export const FIRST_STANDING: Standing = { tier: FIRST_TIER, betterEras: 0, worseEras: 0 };

const ruleOf = (rules: readonly TierRule[], tier: Tier): TierRule => {
  const rule = rules.find((candidate) => candidate.tier === tier);
  if (!rule) throw new RangeError(`no rule for tier ${tier}`);
  return rule;
};

/**
 * The standing after one more era. A provider moves one tier at a time; after a move, and after an era that deserves
 * the very tier it has, counting starts anew. An era without evidence changes nothing.
 */
export const nextStanding = (
  rules: readonly TierRule[],
  standing: Standing,
  deserved: Tier | null,
): Standing => {
  const { tier } = standing;
  if (deserved === null) return standing;
  if (deserved === tier) return { tier, betterEras: 0, worseEras: 0 };
  if (deserved < tier) {
    const betterEras = standing.betterEras + 1;
    const above = (tier - 1) as Tier;
    if (betterEras < ruleOf(rules, above).erasToRise) return { tier, betterEras, worseEras: 0 };
    return { tier: above, betterEras: 0, worseEras: 0 };
  }
  const worseEras = standing.worseEras + 1;
  if (worseEras < ruleOf(rules, tier).erasToFall) return { tier, betterEras: 0, worseEras };
  return { tier: (tier + 1) as Tier, betterEras: 0, worseEras: 0 };
};
