import type { Money } from './common.ts';
import type { RankedOffer } from './matching.ts';

/** What a bid in an auction came to. */
export type BidTerms = RankedOffer & {
  /** Null where an offer stood by its list price. */
  bidId: string | null;
};

export type Auction = {
  /** No bid is taken from then on. */
  closesAt: string;
  /** Null until the window has closed: bids are sealed. */
  result: {
    closedAt: string;
    /** Sealed bids, each counted once. */
    bids: number;
    /** Offers that took part with their list price. */
    standing: number;
    failures: { constraint: string; failed: number }[];
    groups: { group: string; fitting: number; winner: BidTerms | null; runnerUp: BidTerms | null }[];
  } | null;
};

/** An auction as a provider sees it. */
export type OpenAuction = {
  orderId: string;
  closesAt: string;
  run: 'service' | 'job';
  durationSeconds: number;
  groups: {
    group: string;
    /** The most that the order pays per hour for the group. */
    maxRate: Money;
    needs: { gpus: number; cpuMillis: number; memoryMiB: number; storageMiB: number };
    /** Your offers that could serve it, best first. */
    offers: {
      offerId: string;
      providerId: string;
      listRate: Money;
      bid: { bidId: string; rate: Money; revision: number } | null;
    }[];
  }[];
};

export type BidRequest = {
  orderId: string;
  offerId: string;
  /** May be left out where the order has one group. */
  group?: string;
  /** Decimal USDC per hour, for everything of the group. */
  rateUsdcPerHour: string;
};

/** `void`: the order ended before the window closed. `fallen`: it had won, and its lease came to nothing. */
export type BidState = 'sealed' | 'void' | 'unfit' | 'lost' | 'won' | 'fallen';

export type Bid = {
  bidId: string;
  orderId: string;
  group: string;
  providerId: string;
  offerId: string;
  rate: Money;
  /** 1, and one more for each time the bid was replaced. */
  revision: number;
  placedAt: string;
  validUntil: string;
  state: BidState;
  /** Null until the window has closed, and for a bid that could not be taken. */
  score: number | null;
  failed: { constraint: string; detail: string }[];
  leaseId: string | null;
};
