import type { Auction } from './auctions.ts';
import type { Money } from './common.ts';
import type { LeasePart } from './leases.ts';
import type { Offer, OfferedGpu } from './market.ts';
import type { ScoreTerms } from './orders.ts';

export type Explanation = {
  summary: string;
  offersConsidered: number;
  constraints: { constraint: string; failed: number; expected: string }[];
  nearest: { offerId: string; providerId: string; failed: { constraint: string; detail: string }[] }[];
  smallestChange: { field: string; from: string; to: string; text: string } | null;
};

export type OrderExplanation = Explanation & {
  auction: Auction | null;
  /** The last match; null while the order waits, and where it never had a place. */
  match: Match | null;
};

/** What an offer was worth for a group of an order. */
export type RankedOffer = {
  providerId: string;
  offerId: string;
  rate: Money;
  score: number;
  terms: Record<string, number>;
};

/** What an order was matched with, beside what it was preferred to. */
export type Match = {
  matchedAt: string;
  rate: Money;
  /** Empty for orders that were matched before this was noted. */
  groups: { group: string; winner: RankedOffer; runnerUp: RankedOffer | null }[];
};

export type Candidate = {
  offerId: string;
  providerId: string;
  region: string;
  /** Null for plain CPU machines. */
  gpu: OfferedGpu | null;
  /** The network between its machines. */
  interconnect: Offer['interconnect'];
  rate: Money;
  score: number;
  terms: ScoreTerms;
};

export type Quote = {
  matched: boolean;
  rate: Money | null;
  total: Money | null;
  listRate: Money | null;
  /** Share saved against the cloud list price, 0 to 1; null where there is no list price. */
  saving: number | null;
  leases: {
    group: string;
    /** Where the group would be divided: one lease each. Empty where it goes to the first candidate whole. */
    parts: (LeasePart & { offerId: string; providerId: string; rate: Money; score: number })[];
    candidates: Candidate[];
  }[];
  explanation: Explanation | null;
  estimatedStartMs: number | null;
  warnings: string[];
};
