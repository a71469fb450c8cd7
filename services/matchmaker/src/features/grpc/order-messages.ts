import { sharingText } from '@gridbourse/catalog';
import type { Explanation, RankedOffer } from '@gridbourse/events';
import { formatUsdc, invalid, rfc3339 } from '@gridbourse/kernel';
import type { matchmakerV1 } from '@gridbourse/proto';
import type { z } from 'zod';
import { inOrder, type LeaseEntity, type LeasePart, partOf } from '../../read-models/lease.entity.ts';
import type { OrderWithLeases } from '../../read-models/order-reader.ts';
import { manifestRequest, type ManifestRequest } from '../orders/order-request.ts';
import type { Explained } from '../orders/order-desk.service.ts';
import { toAuctionMessage } from './auction-messages.ts';
import type { Quote } from '../quotes/quote.service.ts';

/** Protobuf has no absent scalars: empty text and 0 mean "not said". */
export const said = <K extends string, V>(key: K, value: V, empty: V): { [P in K]?: V } =>
  (value === empty ? {} : { [key]: value }) as { [P in K]?: V };

export const wishesOf = (order: matchmakerV1.ManifestRequest | undefined): Record<string, unknown> => ({
  manifest: order?.manifest ?? '',
  ...said('run', order?.run ?? '', ''),
  ...said('durationSeconds', order?.durationSeconds ?? 0, 0),
  ...said('maxRateUsdcPerHour', order?.maxRateUsdcPerHour ?? '', ''),
  ...said('profile', order?.profile ?? '', ''),
  ...(order && order.regions.length > 0 ? { regions: order.regions } : {}),
  ...said('tierFloor', order?.tierFloor ?? 0, 0),
  ...said('maxProviders', order?.maxProviders ?? 0, 0),
  ...(order && Object.keys(order.weights).length > 0 ? { weights: order.weights } : {}),
  ...said('workloadClass', order?.workloadClass ?? '', ''),
});

/** @throws DomainError `invalid_request` with the place of every fault. */
export const checked = <S extends z.ZodType>(schema: S, input: unknown): z.output<S> => {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  throw invalid(
    'invalid_request',
    `the request has ${result.error.issues.length} problem(s)`,
    result.error.issues.map((issue) => ({ pointer: `/${issue.path.join('/')}`, message: issue.message })),
  );
};

export const toManifestRequest = (order: matchmakerV1.ManifestRequest | undefined): ManifestRequest =>
  checked(manifestRequest, wishesOf(order));

const at = (instantMs: number | null): string => (instantMs === null ? '' : rfc3339(instantMs));

const toPartMessage = ({ number, of, services }: LeasePart): matchmakerV1.LeasePart => ({
  number,
  of,
  services: services.map((service) => ({ ...service })),
});

export const toLeaseMessage = (row: LeaseEntity): matchmakerV1.Lease => ({
  leaseId: row.leaseId,
  orderId: row.orderId,
  group: row.groupName,
  part: row.part === null ? undefined : toPartMessage(row.part),
  providerId: row.providerId,
  state: row.state,
  closeReason: row.closeReason ?? '',
  rateMicrosPerHour: row.rateMicros.toString(),
  lockMicros: row.lockMicros.toString(),
  durationSeconds: row.durationSeconds,
  runningSince: at(row.runningSinceMs),
  paidMicros: (row.paidMicros ?? 0n).toString(),
  refundedMicros: (row.refundedMicros ?? 0n).toString(),
  gpuModel: row.gpu?.model ?? '',
  gpuSharing: row.gpu === null ? '' : sharingText(row.gpu.sharing),
});

export const toExplanationMessage = (why: Explanation): matchmakerV1.Explanation => ({
  summary: why.summary,
  offersConsidered: why.offersConsidered,
  constraints: why.constraints.map((constraint) => ({ ...constraint })),
  smallestChange: why.smallestChange?.text ?? '',
});

const toRankedOfferMessage = (ranked: RankedOffer): matchmakerV1.RankedOffer => ({
  ...ranked,
  rateMicrosPerHour: ranked.rateMicrosPerHour.toString(),
});

export const toExplainOrderMessage = ({
  order,
  why,
  matched,
}: Explained): matchmakerV1.ExplainOrderResponse => ({
  explanation: toExplanationMessage(why),
  auction: toAuctionMessage(order),
  match: matched
    ? {
        matchedAt: at(matched.atMs),
        rateMicrosPerHour: matched.rateMicrosPerHour.toString(),
        groups: matched.ranking.map(({ group, winner, runnerUp }) => ({
          group,
          winner: toRankedOfferMessage(winner),
          runnerUp: runnerUp ? toRankedOfferMessage(runnerUp) : undefined,
        })),
      }
    : undefined,
});

export const toOrderMessage = ({ order, leases }: OrderWithLeases): matchmakerV1.Order => ({
  orderId: order.orderId,
  state: order.state,
  maxRateMicrosPerHour: order.maxRateMicros.toString(),
  submittedAt: at(order.submittedAtMs),
  expiresAt: at(order.expiresAtMs),
  leases: inOrder(leases).map(toLeaseMessage),
  mode: order.mode,
  auction: toAuctionMessage(order),
  profile: order.profile,
  weights: { ...order.weights },
  workloadClass: order.workloadClass,
  explanation: order.explanation === null ? undefined : toExplanationMessage(order.explanation),
});

export const toQuoteMessage = (quote: Quote): matchmakerV1.QuoteResponse => ({
  matched: quote.match !== null,
  rateUsdcPerHour: quote.match ? formatUsdc(quote.match.rateMicrosPerHour) : '',
  rateMicrosPerHour: (quote.match?.rateMicrosPerHour ?? 0n).toString(),
  totalUsdc: quote.totalMicros === null ? '' : formatUsdc(quote.totalMicros),
  cloudListUsdcPerHour: quote.listRateMicros === null ? '' : formatUsdc(quote.listRateMicros),
  saving: quote.saving ?? 0,
  parts: quote.parts.map(({ group, part, portion, offerId, providerId, rateMicrosPerHour }) => ({
    ...{ group, offerId, providerId, rateMicrosPerHour: rateMicrosPerHour.toString() },
    part: toPartMessage(partOf({ part, group: portion })!),
  })),
  candidates: quote.groups.flatMap(({ candidates }) =>
    candidates.map(({ offer, provider, rateMicrosPerHour, score }) => ({
      offerId: offer.offerId,
      providerId: provider.providerId,
      region: provider.place.region,
      rateMicrosPerHour: rateMicrosPerHour.toString(),
      score,
      gpuModel: offer.gpu?.model ?? '',
      gpuSharing: offer.gpu === null ? '' : sharingText(offer.gpu.sharing),
      interconnect: offer.interconnect,
    })),
  ),
  explanation: quote.explanation === null ? undefined : toExplanationMessage(quote.explanation),
});
