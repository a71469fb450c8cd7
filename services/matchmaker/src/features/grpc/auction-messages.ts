import { auctionResult, type BidTerms } from '@gridbourse/events';
import { rfc3339 } from '@gridbourse/kernel';
import type { matchmakerV1 } from '@gridbourse/proto';
import { z } from 'zod';
import type { OpenAuction } from '../../domain/process/bidding.ts';
import type { BidEntity } from '../../read-models/bid.entity.ts';
import type { OrderEntity } from '../../read-models/order.entity.ts';

const toTermsMessage = ({ bidId, rateMicrosPerHour, ...terms }: BidTerms): matchmakerV1.BidTerms => ({
  ...terms,
  bidId: bidId ?? '',
  rateMicrosPerHour: rateMicrosPerHour.toString(),
});

export const toAuctionMessage = ({
  biddingClosesAtMs,
  auction,
}: OrderEntity): matchmakerV1.Auction | undefined => {
  if (biddingClosesAtMs === null) return undefined;
  const result = auction && z.decode(auctionResult, auction);
  return {
    closesAt: rfc3339(biddingClosesAtMs),
    result: result
      ? {
          closedAt: rfc3339(result.closedAtMs),
          bids: result.bids,
          standing: result.standing,
          failures: result.failures,
          groups: result.groups.map(({ winner, runnerUp, ...group }) => ({
            ...group,
            winner: winner ? toTermsMessage(winner) : undefined,
            runnerUp: runnerUp ? toTermsMessage(runnerUp) : undefined,
          })),
        }
      : undefined,
  };
};

export const toOpenAuctionMessage = ({
  order,
  closesAtMs,
  groups,
}: OpenAuction): matchmakerV1.OpenAuction => ({
  orderId: order.orderId,
  closesAt: rfc3339(closesAtMs),
  run: order.spec.run,
  durationSeconds: order.spec.durationSeconds,
  groups: groups.map(({ need, offers }) => ({
    group: need.group.name,
    maxRateMicrosPerHour: need.limitMicrosPerHour.toString(),
    gpus: need.total.gpus,
    cpuMillis: need.total.cpuMillis,
    memoryMib: need.total.memoryMiB,
    storageMib: need.total.storageMiB,
    offers: offers.map(({ offer, listRateMicrosPerHour, bid }) => ({
      offerId: offer.offerId,
      providerId: offer.providerId,
      listRateMicrosPerHour: listRateMicrosPerHour.toString(),
      bidMicrosPerHour: (bid?.rateMicrosPerHour ?? 0n).toString(),
    })),
  })),
});

export const toBidMessage = (row: BidEntity): matchmakerV1.Bid => ({
  bidId: row.bidId,
  orderId: row.orderId,
  group: row.groupName,
  providerId: row.providerId,
  offerId: row.offerId,
  rateMicrosPerHour: row.rateMicros.toString(),
  revision: row.revision,
  placedAt: rfc3339(row.placedAtMs),
  validUntil: rfc3339(row.validUntilMs),
  state: row.state,
  score: row.score ?? 0,
  leaseId: row.leaseId ?? '',
});
