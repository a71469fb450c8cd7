import { Caller, RequireScopes, Returns } from '@gridbourse/api';
import { Controller, Get, Headers } from '@nestjs/common';
import { ApiOperation } from '@nestjs/swagger';
import { z } from 'zod';
import { preferredWaitMs } from '../orders/prefer.ts';
import { openAuctionDto, toOpenAuctionDto } from './auction.dto.ts';
import { BidDeskService } from './bid-desk.service.ts';

const auctionList = z.object({ items: z.array(openAuctionDto) }).meta({ id: 'OpenAuctions' });

@Controller('v1/auctions')
export class AuctionsController {
  constructor(private readonly desk: BidDeskService) {}

  @Get()
  @RequireScopes('providers:write')
  @ApiOperation({
    summary: 'Auctions that take bids now and that an offer of yours could serve, the first to close first',
    description:
      'With `Prefer: wait=30` an empty answer is held back until an auction opens, or for so many seconds.',
  })
  @Returns(200, auctionList)
  async open(@Caller() caller: Caller, @Headers('prefer') prefer: string | undefined) {
    const items = await this.desk.open(caller, preferredWaitMs(prefer));
    return { items: items.map(toOpenAuctionDto) };
  }
}
