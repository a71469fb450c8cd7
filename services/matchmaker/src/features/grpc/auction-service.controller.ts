import { Caller, RequireScopes } from '@gridbourse/api';
import { matchmakerV1 } from '@gridbourse/proto';
import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { BidReader } from '../../read-models/bid-reader.ts';
import { bidsQuery, bidRequest } from '../auctions/bid-request.ts';
import { BidDeskService } from '../auctions/bid-desk.service.ts';
import { toBidMessage, toOpenAuctionMessage } from './auction-messages.ts';
import { checked, said } from './order-messages.ts';

const MAX_WAIT_SECONDS = 60;

/** The same operations as over REST. */
@Controller()
@matchmakerV1.AuctionServiceControllerMethods()
export class AuctionServiceController {
  constructor(
    private readonly desk: BidDeskService,
    private readonly reader: BidReader,
  ) {}

  @RequireScopes('providers:write')
  async listAuctions(
    @Payload() { waitSeconds }: matchmakerV1.ListAuctionsRequest,
    @Caller() caller: Caller,
  ): Promise<matchmakerV1.ListAuctionsResponse> {
    const open = await this.desk.open(caller, Math.min(waitSeconds, MAX_WAIT_SECONDS) * 1_000);
    return { auctions: open.map(toOpenAuctionMessage) };
  }

  @RequireScopes('providers:write')
  async placeBid(
    @Payload() request: matchmakerV1.PlaceBidRequest,
    @Caller() caller: Caller,
  ): Promise<matchmakerV1.PlaceBidResponse> {
    const { orderId, offerId, group, rateUsdcPerHour } = request;
    const wishes = { orderId, offerId, rateUsdcPerHour, ...said('group', group, '') };
    return { bid: toBidMessage(await this.desk.place(caller, checked(bidRequest, wishes))) };
  }

  @RequireScopes('leases:read')
  async listBids(
    @Payload() request: matchmakerV1.ListBidsRequest,
    @Caller() caller: Caller,
  ): Promise<matchmakerV1.ListBidsResponse> {
    const query = checked(bidsQuery, {
      ...said('orderId', request.orderId, ''),
      ...said('state', request.state, ''),
      ...said('limit', request.limit, 0),
      ...said('cursor', request.cursor, ''),
    });
    const { items, nextCursor } = await this.reader.bids(caller.accountId, query);
    return { bids: items.map(toBidMessage), nextCursor: nextCursor ?? '' };
  }
}
