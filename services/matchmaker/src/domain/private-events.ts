import type { BidId, Instant, LeaseId, Micros, OfferId, OrderId, ProviderId } from '@gridbourse/kernel';

/** Events that never leave this service. Their schemas are in ../event-catalogue.ts. */

/** Something in the manifest that was understood and could not be honoured as written. */
export type OrderWarning = {
  readonly code: string;
  readonly pointer: string;
  readonly message: string;
  readonly line: number;
  readonly column: number;
};

/** What became of a sealed bid when the window closed. */
export type Verdict = {
  readonly bidId: BidId;
  /** Null for a bid that could not be taken. */
  readonly score: number | null;
  readonly failed: readonly { readonly constraint: string; readonly detail: string }[];
};

export type PrivateOrderEvent =
  | {
      readonly type: 'OrderAnnotated';
      readonly orderId: OrderId;
      readonly warnings: readonly OrderWarning[];
      /** Digest of the request, so that another request under the same idempotency key is told apart. */
      readonly requestHash: string;
    }
  | {
      /** Sealed: it never leaves this service. The same bid id again replaces the bid. */
      readonly type: 'BidPlaced';
      readonly orderId: OrderId;
      readonly bidId: BidId;
      readonly providerId: ProviderId;
      readonly offerId: OfferId;
      readonly group: string;
      readonly rateMicrosPerHour: Micros;
      readonly validUntilMs: Instant;
      readonly atMs: Instant;
    }
  | {
      readonly type: 'BidsJudged';
      readonly orderId: OrderId;
      readonly verdicts: readonly Verdict[];
      readonly atMs: Instant;
    };

export type PrivateLeaseEvent =
  | {
      readonly type: 'LeaseFundingRetracted';
      readonly leaseId: LeaseId;
      /** Not funded again by then, the lease closes. */
      readonly refundByMs: Instant;
      readonly atMs: Instant;
    }
  | {
      readonly type: 'LeaseFundingRestored';
      readonly leaseId: LeaseId;
      readonly chainLeaseKey: string;
      readonly atMs: Instant;
    }
  | {
      readonly type: 'LeaseTermNoted';
      readonly leaseId: LeaseId;
      /** Running seconds in all, agreed and added. */
      readonly durationSeconds: number;
      /** All that was locked, at the opening and by extensions. */
      readonly lockMicros: Micros;
      readonly atMs: Instant;
    };
