import { type BillingEvent, EventCatalogue, publishedEvents, type WorkloadEvent } from '@gridbourse/events';
import { formatUsdc, rfc3339 } from '@gridbourse/kernel';
import { auctionText } from '../domain/auction-result.ts';
import type { MatchmakerEvent } from '../domain/process/unit-of-work.ts';
import { matchmakerCatalogue } from '../event-catalogue.ts';

export type LifeEvent = MatchmakerEvent | WorkloadEvent | BillingEvent;
type Of<T extends LifeEvent['type']> = Extract<LifeEvent, { type: T }>;
type Texts = { readonly [T in LifeEvent['type']]?: (event: Of<T>) => string };

const perHour = (rate: bigint): string => `${formatUsdc(rate)} USDC/h`;

/** One sentence for each kind of event, for people; kinds without one do not show. */
const TEXTS: Texts = {
  OrderSubmitted: (event) =>
    `order submitted: ${event.spec.groups.length} group(s), at most ${perHour(event.maxRateMicrosPerHour)}`,
  BiddingOpened: (event) => `sealed bids are taken until ${rfc3339(event.closesAtMs)}`,
  BiddingClosed: (event) => auctionText(event.result),
  OrderUnmatched: (event) => event.explanation.summary,
  OrderMatched: (event) =>
    `matched for ${perHour(event.rateMicrosPerHour)} with ${event.leases.length} lease(s)`,
  OrderFulfilled: () => 'every lease of the order has run',
  OrderCancelled: (event) => `order cancelled: ${event.detail}`,
  OrderExpired: () => 'order expired: no place was found in time',
  LeaseProposed: (event) =>
    `${event.part ? `part ${event.part.number} of ${event.part.of} of group ${event.group.name} ` : ''}proposed to ${event.providerId} for ${perHour(event.rateMicrosPerHour)}; capacity is held`,
  LeaseAccepted: (event) =>
    event.by === 'provider' ? 'the provider accepted' : "accepted by the provider's standing policy",
  LeaseRejected: (event) => `the provider said no: ${event.reason}`,
  LeaseLapsed: (event) => `lease lapsed (${event.reason}): ${event.detail}`,
  LeaseFunded: (event) => `funded on chain as ${event.chainLeaseKey}`,
  LeaseFundingRetracted: () => 'the chain undid the funding; waiting for it to come back',
  LeaseFundingRestored: (event) => `funded again as ${event.chainLeaseKey}`,
  LeaseActivated: () => 'running: the meter has started',
  LeaseClosing: (event) => `closing (${event.reason}): ${event.detail}`,
  CapacityReleased: () => 'what the lease held is free again',
  LeaseClosed: (event) =>
    `closed (${event.reason}): paid ${formatUsdc(event.paidMicros)} USDC, refunded ${formatUsdc(event.refundedMicros)} USDC`,
  WorkloadRequested: (event) => `to run in namespace ${event.namespace}`,
  WorkloadProvisioning: (event) => `${event.objects} objects applied in the cluster`,
  WorkloadRunning: (event) =>
    `every replica runs${event.endpoints.length > 0 ? `: ${event.endpoints.map(({ url }) => url).join(', ')}` : ''}`,
  WorkloadDegraded: (event) => `${event.running} of ${event.wanted} replicas run: ${event.reason}`,
  WorkloadUnknown: () => 'the cluster cannot be seen; nothing is concluded',
  WorkloadFailed: (event) => `failed (${event.cause}): ${event.message}`,
  WorkloadExited: (event) => `exited with code ${event.exitCode}`,
  WorkloadTerminating: () => 'its namespace is being deleted',
  MeterClosed: (event) => `meter closed at ${event.totalSeconds} s`,
  WorkloadTerminated: () => 'proof: nothing of it is left in the cluster',
  LeaseFundingFailed: (event) => `could not be funded (${event.cause}): ${event.detail}`,
  EscrowLow: (event) => `the lock is used up in ${event.secondsLeft} s`,
  EscrowExhausted: () => 'zero-time: everything that was locked is used up',
  LeaseTermChanged: (event) =>
    `may run ${event.durationSeconds} s in all: ${formatUsdc(event.lockMicros)} USDC were locked for it`,
  SettlementConfirmed: (event) =>
    `${formatUsdc(event.paidMicros)} USDC paid on chain, ${formatUsdc(event.cumulativeMicros)} in all`,
  LeaseSettled: (event) =>
    `settled: ${formatUsdc(event.paidMicros)} USDC paid, ${formatUsdc(event.refundedMicros)} USDC refunded`,
};

/** The events that show. */
export const timelineTypes: readonly string[] = Object.keys(TEXTS);

/** What is long, or for other services only. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  'spec',
  'secrets',
  'group',
  'placements',
  'explanation',
  'ranking',
  'tenantWallet',
]);

const ownTypes: ReadonlySet<string> = new Set(matchmakerCatalogue.all().map(({ type }) => type));
const published = new EventCatalogue<LifeEvent>(publishedEvents);

const dataOf = (event: LifeEvent): Record<string, unknown> => {
  const { data } = (
    ownTypes.has(event.type) ? (matchmakerCatalogue as EventCatalogue<LifeEvent>) : published
  ).encode(event);
  return Object.fromEntries(Object.entries(data as object).filter(([field]) => !LEFT_OUT.has(field)));
};

/** How an event shows in a timeline; null when it does not. */
export const timelineItem = (
  event: LifeEvent,
): { type: string; text: string; data: Record<string, unknown> } | null => {
  const text = TEXTS[event.type] as ((event: LifeEvent) => string) | undefined;
  return text ? { type: event.type, text: text(event).slice(0, 1_200), data: dataOf(event) } : null;
};
