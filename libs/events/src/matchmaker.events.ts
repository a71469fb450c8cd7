import { z } from 'zod';
import { eventFamily, type EventOf, nextVersion } from './define.ts';
import { address, count, geoPoint, id, instant, micros, sealedBox, seconds } from './fields.ts';
import { offerGpu } from './registry.events.ts';
import { placementGroup, workloadSpec } from './workload-spec.ts';
import { placementGroupV1, upcastGroup, upcastSpec, workloadSpecV1 } from './workload-spec.v1.ts';

const order = eventFamily('matchmaker', 'order');
const lease = eventFamily('matchmaker', 'lease');

export const matchingProfile = z.enum(['cheapest', 'balanced', 'fastest', 'nearest']);

const weight = z.number().min(0).max(1);
export const scoreWeights = z
  .object({ cost: weight, geography: weight, performance: weight, reliability: weight, fit: weight })
  .refine((weights) => Object.values(weights).some((each) => each > 0), {
    error: 'at least one weight must be above 0',
  })
  .describe('How much each term of the score counts, against the others; not all 0.');

export const workloadClass = z
  .enum(['general', 'language', 'vision', 'speech', 'recommendation'])
  .describe('The kind of work for which the throughput of GPUs is compared.');

export const orderMode = z
  .enum(['instant', 'auction'])
  .describe('`instant`: matched against standing offers at once. `auction`: sealed bids come first.');

export const explanation = z
  .object({
    summary: z.string().max(1_000),
    offersConsidered: count,
    constraints: z
      .array(z.object({ constraint: z.string().max(60), failed: count, expected: z.string().max(300) }))
      .describe('How many offers failed each constraint (an offer may fail several), most first.'),
    nearest: z
      .array(
        z.object({
          offerId: id('offer'),
          providerId: id('provider'),
          failed: z.array(z.object({ constraint: z.string().max(60), detail: z.string().max(300) })),
        }),
      )
      .describe('The offers that failed least, best first.'),
    smallestChange: z
      .object({
        field: z.string().max(120),
        from: z.string().max(200),
        to: z.string().max(200),
        text: z.string().max(300),
      })
      .nullable()
      .describe(
        'The smallest single change of the order that would have matched; null when no single one does.',
      ),
  })
  .describe('Why an order found no place, for a person to read and for a program to act on.');

const orderSubmittedV1 = order(
  'OrderSubmitted',
  'A tenant wants a workload run.',
  z.object({
    orderId: id('order'),
    accountId: id('account'),
    tenantWallet: address.describe("The tenant's address in the escrow contract."),
    spec: workloadSpecV1,
    secrets: sealedBox
      .nullable()
      .describe('Env values and registry credentials, sealed to the orchestrator; null when there are none.'),
    maxRateMicrosPerHour: micros.describe('Over all groups, micro-USDC per hour.'),
    profile: matchingProfile,
    near: geoPoint.nullable().describe("Where the tenant's users are; null when not said."),
    includeProviders: z.array(id('provider')),
    excludeProviders: z.array(id('provider')),
    expiresAtMs: instant,
    submittedAtMs: instant,
  }),
);

// Before there were auctions every order was matched at once.
const orderSubmittedV2 = nextVersion(orderSubmittedV1, {
  schema: orderSubmittedV1.schema.extend({ mode: orderMode }),
  upcast: (fields) => ({ ...fields, mode: 'instant' as const }),
});

export const orderSubmitted = nextVersion(orderSubmittedV2, {
  schema: orderSubmittedV2.schema.extend({
    spec: workloadSpec,
    weights: scoreWeights.nullable().describe("In place of the profile's; null keeps those."),
    workloadClass,
  }),
  upcast: (fields) => ({
    ...fields,
    spec: upcastSpec(fields.spec),
    weights: null,
    workloadClass: 'general' as const,
  }),
});

export const biddingOpened = order(
  'BiddingOpened',
  'An auction: sealed bids are taken until the window closes. What is bid is told to nobody before that.',
  z.object({ orderId: id('order'), closesAtMs: instant, atMs: instant }),
);

const share = z.number().min(0).max(1);

export const bidTerms = z.object({
  bidId: id('bid').nullable().describe('Null where an offer stood by its list price.'),
  providerId: id('provider'),
  offerId: id('offer'),
  rateMicrosPerHour: micros.describe('Micro-USDC per hour for the group.'),
  score: share,
  terms: z
    .record(z.string().max(40), share)
    .describe('What the score is made of, each 0 (worst) to 1 (best): cost, geography, performance, …'),
});

export const auctionResult = z
  .object({
    closesAtMs: instant.describe('The end of the window. The close may come later, no bid does.'),
    closedAtMs: instant,
    bids: count.describe('Sealed bids, each counted once however often it was replaced.'),
    standing: count.describe('Offers on the market that took part with their list price.'),
    failures: z
      .array(z.object({ constraint: z.string().max(60), failed: count }))
      .describe('How many sealed bids failed each constraint (a bid may fail several), most first.'),
    groups: z.array(
      z.object({
        group: z.string(),
        fitting: count.describe('Sealed and standing bids that could be taken for the group.'),
        winner: bidTerms.nullable().describe('Null where the order found no place.'),
        runnerUp: bidTerms.nullable(),
      }),
    ),
  })
  .describe('How an auction ended.');

export const biddingClosed = order(
  'BiddingClosed',
  'The window of an auction is over and its bids are scored; OrderMatched, OrderUnmatched or OrderExpired follows in the same commit.',
  z.object({ orderId: id('order'), result: auctionResult }),
);

export const orderUnmatched = order(
  'OrderUnmatched',
  'No offer fits now. The order stays in the book until it expires.',
  z.object({ orderId: id('order'), explanation, atMs: instant }),
);

const orderMatchedV1 = order(
  'OrderMatched',
  'Capacity is held for every group, and a lease proposed for each.',
  z.object({
    orderId: id('order'),
    leases: z.array(
      z.object({ leaseId: id('lease'), providerId: id('provider'), offerId: id('offer'), group: z.string() }),
    ),
    rateMicrosPerHour: micros.describe('Micro-USDC per hour.'),
    atMs: instant,
  }),
);

export const rankedOffer = bidTerms.omit({ bidId: true });

export const groupRanking = z.object({
  group: z.string(),
  winner: rankedOffer.describe('What is held.'),
  runnerUp: rankedOffer
    .nullable()
    .describe('The best offer that fits the group as well and was not taken; null where there is none.'),
});

// Nobody noted before what a match was preferred to.
export const orderMatched = nextVersion(orderMatchedV1, {
  schema: orderMatchedV1.schema.extend({
    ranking: z
      .array(groupRanking)
      .describe(
        'What the offers were worth, group by group, to some four digits; empty for matches of before it was noted.',
      ),
  }),
  upcast: (fields) => ({ ...fields, ranking: [] }),
});

export const orderFulfilled = order(
  'OrderFulfilled',
  'Every lease of the order has run.',
  z.object({ orderId: id('order'), atMs: instant }),
);

export const orderCancelled = order(
  'OrderCancelled',
  'Ended by its tenant before it was fulfilled, or because its lease could not start.',
  z.object({
    orderId: id('order'),
    reason: z.enum(['tenant', 'start_failed', 'funding_failed', 'operator']),
    detail: z.string().max(500),
    atMs: instant,
  }),
);

export const orderExpired = order(
  'OrderExpired',
  'Found no place in time.',
  z.object({ orderId: id('order'), atMs: instant }),
);

export const closeReason = z.enum([
  'tenant',
  'completed',
  'escrow_exhausted',
  'start_failed',
  'workload_failed',
  'provider_lost',
  'provider_maintenance',
  'decommissioned',
  'operator',
  'superseded',
]);

export const groupPart = z
  .object({
    number: z.int().min(1).max(16).describe('From 1.'),
    of: z.int().min(2).max(16).describe('Into how many parts the group is divided.'),
    services: z.array(
      z.object({
        service: z.string(),
        firstReplica: count.describe('The number, in the whole group and from 0, of the first replica here.'),
        ofReplicas: z.int().min(1).describe('Replicas of the service in all parts together.'),
      }),
    ),
  })
  .describe('Which replicas of a divided group a lease has; how many they are is told by its group.');

const leaseProposedV1 = lease(
  'LeaseProposed',
  'Capacity is held at one provider for one group of an order. Carries everything that later steps need.',
  z.object({
    leaseId: id('lease'),
    orderId: id('order'),
    accountId: id('account'),
    tenantWallet: address,
    providerId: id('provider'),
    chainProviderId: z.int().min(1),
    offerId: id('offer'),
    group: placementGroupV1,
    run: z.enum(['service', 'job']),
    secrets: sealedBox.nullable(),
    placements: z
      .array(z.object({ service: z.string(), replica: count, node: z.string() }))
      .describe('What each replica takes on which machine of the offer.'),
    rateMicrosPerHour: micros.describe('Micro-USDC per hour.'),
    durationSeconds: seconds,
    lockMicros: micros.describe('lockMicros(rate, duration): what the contract locks.'),
    listRateMicrosPerHour: micros
      .nullable()
      .describe(
        'The cloud list price of the same GPUs, micro-USDC per hour, for showing the saving; null when there is none.',
      ),
    acceptByMs: instant,
    proposedAtMs: instant,
  }),
);

export const leaseProposed = nextVersion(leaseProposedV1, {
  schema: leaseProposedV1.schema.extend({
    group: placementGroup,
    gpu: offerGpu
      .nullable()
      .describe(
        "The offer's GPUs: what each GPU of the group is. Null: an offer of plain CPU machines, or not known.",
      ),
    part: groupPart
      .nullable()
      .describe('Null: the whole group is here. Otherwise `group` has the replicas of this part alone.'),
  }),
  upcast: (fields) => ({ ...fields, group: upcastGroup(fields.group), gpu: null, part: null }),
});

export const leaseAccepted = lease(
  'LeaseAccepted',
  'The provider agreed, by standing policy or explicitly. The relayer may now open it on chain.',
  z.object({
    leaseId: id('lease'),
    by: z.enum(['standing_policy', 'provider']),
    fundByMs: instant.describe('Without funding by then the lease lapses.'),
    atMs: instant,
  }),
);

export const leaseRejected = lease(
  'LeaseRejected',
  'The provider said no.',
  z.object({ leaseId: id('lease'), reason: z.string().max(300), atMs: instant }),
);

export const leaseLapsed = lease(
  'LeaseLapsed',
  'It never became funded: not accepted or not funded in time, funding refused, or the order was cancelled.',
  z.object({
    leaseId: id('lease'),
    reason: z.enum([
      'acceptance_timeout',
      'funding_timeout',
      'funding_failed',
      'order_cancelled',
      'provider_lost',
      /** Another lease of the same order could not start, and they start together or not at all. */
      'superseded',
    ]),
    detail: z.string().max(500),
    atMs: instant,
  }),
);

export const leaseFunded = lease(
  'LeaseFunded',
  'The chain has locked rate x duration of the tenant.',
  z.object({ leaseId: id('lease'), chainLeaseKey: z.string().max(80), fundedAtMs: instant }),
);

export const leaseActivated = lease(
  'LeaseActivated',
  'The workload runs: the meter has started.',
  z.object({ leaseId: id('lease'), runningSinceMs: instant, atMs: instant }),
);

export const leaseClosing = lease(
  'LeaseClosing',
  'The end has been decided; tear-down and final settlement follow. The reason never changes again.',
  z.object({ leaseId: id('lease'), reason: closeReason, detail: z.string().max(500), atMs: instant }),
);

export const capacityReleased = lease(
  'CapacityReleased',
  'What the lease held is free again, on proof that nothing of it runs.',
  z.object({ leaseId: id('lease'), providerId: id('provider'), offerId: id('offer'), atMs: instant }),
);

export const leaseClosed = lease(
  'LeaseClosed',
  'Settled and refunded. Whether the namespace is proven gone is told by CapacityReleased.',
  z.object({
    leaseId: id('lease'),
    reason: closeReason,
    paidMicros: micros,
    refundedMicros: micros,
    atMs: instant,
  }),
);

export const orderEvents = [
  orderSubmitted,
  biddingOpened,
  biddingClosed,
  orderUnmatched,
  orderMatched,
  orderFulfilled,
  orderCancelled,
  orderExpired,
] as const;
export const leaseEvents = [
  leaseProposed,
  leaseAccepted,
  leaseRejected,
  leaseLapsed,
  leaseFunded,
  leaseActivated,
  leaseClosing,
  capacityReleased,
  leaseClosed,
] as const;

export type OrderEvent = EventOf<(typeof orderEvents)[number]>;
export type LeaseEvent = EventOf<(typeof leaseEvents)[number]>;
export type OrderSubmitted = EventOf<typeof orderSubmitted>;
export type LeaseProposed = EventOf<typeof leaseProposed>;
export type GroupPart = z.output<typeof groupPart>;
export type CloseReason = z.output<typeof closeReason>;
export type Explanation = z.output<typeof explanation>;
export type AuctionResult = z.output<typeof auctionResult>;
export type RankedOffer = z.output<typeof rankedOffer>;
export type GroupRanking = z.output<typeof groupRanking>;
export type BidTerms = z.output<typeof bidTerms>;
export type ScoreWeights = z.output<typeof scoreWeights>;
export type MatchingProfile = z.output<typeof matchingProfile>;
