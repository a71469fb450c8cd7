import { money, moneyDto } from '@gridbourse/api';
import { auctionResult, type BidTerms, type RankedOffer } from '@gridbourse/events';
import { rfc3339 } from '@gridbourse/kernel';
import { z } from 'zod';
import type { OpenAuction } from '../../domain/process/bidding.ts';
import type { BidEntity } from '../../read-models/bid.entity.ts';
import type { OrderEntity } from '../../read-models/order.entity.ts';

const instant = z.iso.datetime();
const share = z.number().min(0).max(1);

/** What an offer was worth for a group of an order. */
export const rankedOfferDto = z
  .object({
    providerId: z.string(),
    offerId: z.string(),
    rate: money,
    score: share,
    terms: z.record(z.string(), share),
  })
  .meta({ id: 'RankedOffer' });

const bidTermsDto = rankedOfferDto
  .extend({
    /** Null where an offer stood by its list price. */
    bidId: z.string().nullable(),
  })
  .meta({ id: 'BidTerms' });

/** An order's auction. What was bid is told once the window has closed. */
export const auctionDto = z
  .object({
    /** No bid is taken from then on. */
    closesAt: instant,
    result: z
      .object({
        closedAt: instant,
        /** Sealed bids, each counted once. */
        bids: z.int(),
        /** Offers that took part with their list price. */
        standing: z.int(),
        /** How many sealed bids failed each constraint. */
        failures: z.array(z.object({ constraint: z.string(), failed: z.int() })),
        groups: z.array(
          z.object({
            group: z.string(),
            fitting: z.int(),
            winner: bidTermsDto.nullable(),
            runnerUp: bidTermsDto.nullable(),
          }),
        ),
      })
      .nullable(),
  })
  .meta({ id: 'Auction' });
export type AuctionDto = z.output<typeof auctionDto>;

export const toRankedOfferDto = ({
  providerId,
  offerId,
  rateMicrosPerHour,
  score,
  terms,
}: RankedOffer): z.output<typeof rankedOfferDto> => ({
  providerId,
  offerId,
  rate: moneyDto(rateMicrosPerHour),
  score,
  terms,
});

const toTermsDto = (terms: BidTerms): z.output<typeof bidTermsDto> => ({
  ...toRankedOfferDto(terms),
  bidId: terms.bidId,
});

/** Null for an order that is matched at once. */
export const toAuctionDto = ({ biddingClosesAtMs, auction }: OrderEntity): AuctionDto | null => {
  if (biddingClosesAtMs === null) return null;
  const result = auction && z.decode(auctionResult, auction);
  return {
    closesAt: rfc3339(biddingClosesAtMs),
    result: result && {
      closedAt: rfc3339(result.closedAtMs),
      bids: result.bids,
      standing: result.standing,
      failures: result.failures,
      groups: result.groups.map(({ winner, runnerUp, ...group }) => ({
        ...group,
        winner: winner && toTermsDto(winner),
        runnerUp: runnerUp && toTermsDto(runnerUp),
      })),
    },
  };
};

export const bidDto = z
  .object({
    bidId: z.string(),
    orderId: z.string(),
    group: z.string(),
    providerId: z.string(),
    offerId: z.string(),
    /** Per hour, for the group. */
    rate: money,
    /** 1, and one more for each time the bid was replaced. */
    revision: z.int(),
    placedAt: instant,
    validUntil: instant,
    state: z.enum(['sealed', 'void', 'unfit', 'lost', 'won', 'fallen']),
    score: share.nullable(),
    failed: z.array(z.object({ constraint: z.string(), detail: z.string() })),
    leaseId: z.string().nullable(),
  })
  .meta({ id: 'Bid' });
export type BidDto = z.output<typeof bidDto>;

export const toBidDto = (row: BidEntity): BidDto => ({
  bidId: row.bidId,
  orderId: row.orderId,
  group: row.groupName,
  providerId: row.providerId,
  offerId: row.offerId,
  rate: moneyDto(row.rateMicros),
  revision: row.revision,
  placedAt: rfc3339(row.placedAtMs),
  validUntil: rfc3339(row.validUntilMs),
  state: row.state,
  score: row.score,
  failed: row.failed.map((failure) => ({ ...failure })),
  leaseId: row.leaseId,
});

/** What a provider must know to bid; nothing of who asks, or what will run. */
export const openAuctionDto = z
  .object({
    orderId: z.string(),
    closesAt: instant,
    run: z.enum(['service', 'job']),
    durationSeconds: z.int(),
    groups: z.array(
      z.object({
        group: z.string(),
        /** The most that the order pays per hour for the group. */
        maxRate: money,
        needs: z.object({ gpus: z.int(), cpuMillis: z.int(), memoryMiB: z.int(), storageMiB: z.int() }),
        /** Your offers that could serve it, best first. */
        offers: z.array(
          z.object({
            offerId: z.string(),
            providerId: z.string(),
            /** What the offer's price list asks per hour. */
            listRate: money,
            bid: z.object({ bidId: z.string(), rate: money, revision: z.int() }).nullable(),
          }),
        ),
      }),
    ),
  })
  .meta({ id: 'OpenAuction' });
export type OpenAuctionDto = z.output<typeof openAuctionDto>;

export const toOpenAuctionDto = ({ order, closesAtMs, groups }: OpenAuction): OpenAuctionDto => ({
  orderId: order.orderId,
  closesAt: rfc3339(closesAtMs),
  run: order.spec.run,
  durationSeconds: order.spec.durationSeconds,
  groups: groups.map(({ need, offers }) => ({
    group: need.group.name,
    maxRate: moneyDto(need.limitMicrosPerHour),
    needs: {
      gpus: need.total.gpus,
      cpuMillis: need.total.cpuMillis,
      memoryMiB: need.total.memoryMiB,
      storageMiB: need.total.storageMiB,
    },
    offers: offers.map(({ offer, listRateMicrosPerHour, bid }) => ({
      offerId: offer.offerId,
      providerId: offer.providerId,
      listRate: moneyDto(listRateMicrosPerHour),
      bid: bid && { bidId: bid.bidId, rate: moneyDto(bid.rateMicrosPerHour), revision: bid.revision },
    })),
  })),
});
