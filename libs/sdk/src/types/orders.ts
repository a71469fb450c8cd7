import type { Auction } from './auctions.ts';
import type { Money } from './common.ts';
import type { Lease } from './leases.ts';
import type { Explanation } from './matching.ts';

export type MatchingProfile = 'cheapest' | 'balanced' | 'fastest' | 'nearest';

export type WorkloadClass = 'general' | 'language' | 'vision' | 'speech' | 'recommendation';

/** What a score is made of, each 0 (worst) to 1 (best). */
export type ScoreTerms = {
  cost: number;
  geography: number;
  performance: number;
  reliability: number;
  fit: number;
};

/** How much each term of the score counts against the others, 0 to 1. */
export type Weights = ScoreTerms;

export type ManifestRequest = {
  /** The text of an Akash SDL or Spheron ICL file. */
  manifest: string;
  run?: 'service' | 'job';
  durationSeconds?: number;
  /** Decimal USDC per hour for everything together. */
  maxRateUsdcPerHour?: string;
  profile?: MatchingProfile;
  /** In place of the profile's: each 0 to 1, not all 0; a term that is not named counts nothing. */
  weights?: Partial<Weights>;
  /** The kind of work by which the throughput of GPUs is compared; `general` unless said. */
  workloadClass?: WorkloadClass;
  regions?: string[];
  tierFloor?: number;
  /** Each group may be divided among up to so many providers of one region, 1 to 16. */
  maxProviders?: number;
  near?: { latitude: number; longitude: number };
  includeProviders?: string[];
  excludeProviders?: string[];
};

export type OrderMode = 'instant' | 'auction';

export type OrderRequest = ManifestRequest & {
  /** How long the order may wait in the book. */
  waitSeconds?: number;
  /** `instant` unless said: matched at once. `auction`: takes sealed bids first, then the best of them. */
  mode?: OrderMode;
  /** How long an auction takes bids; the platform's default unless said. */
  windowSeconds?: number;
};

export type OrderState =
  'submitted' | 'bidding' | 'unmatched' | 'matched' | 'fulfilled' | 'cancelled' | 'expired';

export type Order = {
  orderId: string;
  state: OrderState;
  mode: OrderMode;
  profile: MatchingProfile;
  /** Your own; null where the profile's hold. */
  weights: Weights | null;
  workloadClass: WorkloadClass;
  name: string;
  run: 'service' | 'job';
  maxRate: Money;
  rate: Money | null;
  durationSeconds: number;
  submittedAt: string;
  expiresAt: string;
  endedReason: string | null;
  endedDetail: string | null;
  leases: Lease[];
  explanation: Explanation | null;
  /** Null for an order that is matched at once. */
  auction: Auction | null;
  warnings: string[];
};

export type TimelineItem = {
  /** Grows along the timeline; give it as Last-Event-ID to go on from there. */
  id: string;
  at: string;
  type: string;
  leaseId: string | null;
  text: string;
  data: unknown;
};
