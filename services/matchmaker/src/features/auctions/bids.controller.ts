import { Caller, page, RequireScopes, Returns } from '@gridbourse/api';
import { Body, Controller, Get, Param, Post, Query } from '@nestjs/common';
import { ApiOperation } from '@nestjs/swagger';
import type { z } from 'zod';
import { BidReader } from '../../read-models/bid-reader.ts';
import { type BidDto, bidDto, toBidDto } from './auction.dto.ts';
import { BidDeskService } from './bid-desk.service.ts';
import { bidRequest, type BidRequestBody, bidsQuery } from './bid-request.ts';

@Controller('v1/bids')
export class BidsController {
  constructor(
    private readonly desk: BidDeskService,
    private readonly reader: BidReader,
  ) {}

  @Post()
  @RequireScopes('providers:write')
  @ApiOperation({
    summary: 'Places a sealed bid in an auction, or replaces the one that the offer has for the group',
    description:
      'Nobody but you sees it before the window has closed. The same bid again changes nothing. Refused with `auction_closed` when the window is over.',
  })
  @Returns(201, bidDto)
  async place(
    @Body({ schema: bidRequest }) request: BidRequestBody,
    @Caller() caller: Caller,
  ): Promise<BidDto> {
    return toBidDto(await this.desk.place(caller, request));
  }

  @Get()
  @RequireScopes('leases:read')
  @ApiOperation({
    summary:
      'Your bids as a provider, and those on your own orders once their windows have closed; newest first',
  })
  @Returns(200, page(bidDto).meta({ id: 'BidPage' }))
  async list(@Query({ schema: bidsQuery }) query: z.output<typeof bidsQuery>, @Caller() caller: Caller) {
    const { items, nextCursor } = await this.reader.bids(caller.accountId, query);
    return { items: items.map(toBidDto), nextCursor };
  }

  @Get(':id')
  @RequireScopes('leases:read')
  @ApiOperation({ summary: 'One bid' })
  @Returns(200, bidDto)
  async get(@Param('id') bidId: string, @Caller() caller: Caller): Promise<BidDto> {
    return toBidDto(await this.reader.bid(caller.accountId, bidId));
  }
}
