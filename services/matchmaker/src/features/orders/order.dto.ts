import { money, moneyDto, moneyDtoOrNull } from '@gridbourse/api';
import { matchingProfile, scoreWeights, workloadClass } from '@gridbourse/events';
import { rfc3339 } from '@gridbourse/kernel';
import { z } from 'zod';
import { ratio } from '../../domain/pricing.ts';
import { inOrder, type LeaseEntity, type LeasePart } from '../../read-models/lease.entity.ts';
import type { OrderEntity } from '../../read-models/order.entity.ts';
import { auctionDto, rankedOfferDto, toAuctionDto, toRankedOfferDto } from '../auctions/auction.dto.ts';
import type { OrderMatched } from '../../read-models/match-reader.ts';
import { offeredGpuDto } from './offered-gpu.dto.ts';
import type { Explained } from './order-desk.service.ts';
import { warningText } from './read-manifest.ts';

const instant = z.iso.datetime();

export const explanationDto = z
  .object({
    summary: z.string(),
    offersConsidered: z.int(),
    constraints: z.array(z.object({ constraint: z.string(), failed: z.int(), expected: z.string() })),
    nearest: z.array(
      z.object({
        offerId: z.string(),
        providerId: z.string(),
        failed: z.array(z.object({ constraint: z.string(), detail: z.string() })),
      }),
    ),
    smallestChange: z
      .object({ field: z.string(), from: z.string(), to: z.string(), text: z.string() })
      .nullable(),
  })
  .meta({ id: 'Explanation' });

/** What an order was matched with, beside what it was preferred to. */
const matchDto = z
  .object({
    matchedAt: instant,
    /** Per hour, for everything together. */
    rate: money,
    /** Empty for orders that were matched before this was noted. */
    groups: z.array(
      z.object({
        group: z.string(),
        winner: rankedOfferDto,
        /** The best that fits as well and was not taken; null where nothing else did. */
        runnerUp: rankedOfferDto.nullable(),
      }),
    ),
  })
  .meta({ id: 'Match' });

export const orderExplanationDto = explanationDto
  .extend({
    auction: auctionDto.nullable(),
    /** The last match; null while the order waits, and where it never had a place. */
    match: matchDto.nullable(),
  })
  .meta({ id: 'OrderExplanation' });
export type OrderExplanationDto = z.output<typeof orderExplanationDto>;

export const leasePartDto = z
  .object({
    number: z.int(),
    of: z.int(),
    services: z.array(
      z.object({
        service: z.string(),
        /** Its replicas are numbered from here on, in the whole group and from 0. */
        firstReplica: z.int(),
        replicas: z.int(),
        /** In all parts together. */
        ofReplicas: z.int(),
      }),
    ),
  })
  .meta({ id: 'LeasePart' });

export const leaseDto = z
  .object({
    leaseId: z.string(),
    orderId: z.string(),
    group: z.string(),
    /** Null: the whole group. */
    part: leasePartDto.nullable(),
    providerId: z.string(),
    offerId: z.string(),
    /** Null for plain CPU machines, and for leases of before it was noted. */
    gpu: offeredGpuDto.nullable(),
    chainLeaseKey: z.string().nullable(),
    state: z.enum(['proposed', 'accepted', 'funded', 'active', 'closing', 'closed', 'rejected', 'lapsed']),
    closeReason: z.string().nullable(),
    closeDetail: z.string().nullable(),
    rate: money,
    listRate: money.nullable(),
    saving: z.number().nullable(),
    durationSeconds: z.int(),
    lock: money,
    proposedAt: instant,
    acceptBy: instant,
    fundedAt: instant.nullable(),
    runningSince: instant.nullable(),
    closedAt: instant.nullable(),
    paid: money.nullable(),
    refunded: money.nullable(),
    capacityReleased: z.boolean(),
  })
  .meta({ id: 'Lease' });
export type LeaseDto = z.output<typeof leaseDto>;

export const orderDto = z
  .object({
    orderId: z.string(),
    state: z.enum(['submitted', 'bidding', 'unmatched', 'matched', 'fulfilled', 'cancelled', 'expired']),
    mode: z.enum(['instant', 'auction']),
    profile: matchingProfile,
    /** The tenant's own; null where the profile's hold. */
    weights: scoreWeights.nullable(),
    workloadClass,
    name: z.string(),
    run: z.enum(['service', 'job']),
    maxRate: money,
    rate: money.nullable(),
    durationSeconds: z.int(),
    submittedAt: instant,
    expiresAt: instant,
    endedReason: z.string().nullable(),
    endedDetail: z.string().nullable(),
    leases: z.array(leaseDto),
    explanation: explanationDto.nullable(),
    auction: auctionDto.nullable(),
    warnings: z.array(z.string()),
  })
  .meta({ id: 'Order' });
export type OrderDto = z.output<typeof orderDto>;

const toMatchDto = (matched: OrderMatched): z.output<typeof matchDto> => ({
  matchedAt: rfc3339(matched.atMs),
  rate: moneyDto(matched.rateMicrosPerHour),
  groups: matched.ranking.map(({ group, winner, runnerUp }) => ({
    group,
    winner: toRankedOfferDto(winner),
    runnerUp: runnerUp && toRankedOfferDto(runnerUp),
  })),
});

export const toOrderExplanationDto = ({ order, why, matched }: Explained): OrderExplanationDto => ({
  ...why,
  auction: toAuctionDto(order),
  match: matched && toMatchDto(matched),
});

/** The share saved against the cloud list price, 0 to 1; null where there is no such price. */
export const savingOf = (rate: bigint, listRate: bigint | null): number | null =>
  listRate === null || listRate === 0n ? null : 1 - ratio(rate, listRate);

const at = (instantMs: number | null): string | null => (instantMs === null ? null : rfc3339(instantMs));

export const toLeasePartDto = (part: LeasePart | null): z.output<typeof leasePartDto> | null =>
  part && { ...part, services: part.services.map((service) => ({ ...service })) };

export const toLeaseDto = (row: LeaseEntity): LeaseDto => ({
  leaseId: row.leaseId,
  orderId: row.orderId,
  group: row.groupName,
  part: toLeasePartDto(row.part),
  providerId: row.providerId,
  offerId: row.offerId,
  gpu: row.gpu,
  chainLeaseKey: row.chainLeaseKey,
  state: row.state,
  closeReason: row.closeReason,
  closeDetail: row.closeDetail,
  rate: moneyDto(row.rateMicros),
  listRate: moneyDtoOrNull(row.listRateMicros),
  saving: savingOf(row.rateMicros, row.listRateMicros),
  durationSeconds: row.durationSeconds,
  lock: moneyDto(row.lockMicros),
  proposedAt: rfc3339(row.proposedAtMs),
  acceptBy: rfc3339(row.acceptByMs),
  fundedAt: at(row.fundedAtMs),
  runningSince: at(row.runningSinceMs),
  closedAt: at(row.closedAtMs),
  paid: moneyDtoOrNull(row.paidMicros),
  refunded: moneyDtoOrNull(row.refundedMicros),
  capacityReleased: row.capacityReleased,
});

export const toOrderDto = (row: OrderEntity, leases: readonly LeaseEntity[]): OrderDto => ({
  orderId: row.orderId,
  state: row.state,
  mode: row.mode,
  profile: row.profile,
  weights: row.weights,
  workloadClass: row.workloadClass,
  name: row.name,
  run: row.run,
  maxRate: moneyDto(row.maxRateMicros),
  rate: moneyDtoOrNull(row.rateMicros),
  durationSeconds: row.durationSeconds,
  submittedAt: rfc3339(row.submittedAtMs),
  expiresAt: rfc3339(row.expiresAtMs),
  endedReason: row.endedReason,
  endedDetail: row.endedDetail,
  leases: inOrder(leases).map(toLeaseDto),
  explanation: row.explanation,
  auction: toAuctionDto(row),
  warnings: row.warnings.map(warningText),
});
