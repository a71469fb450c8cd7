import { Caller, page, pageQuery, RequireScopes, Returns } from '@gridbourse/api';
import { Body, Controller, Get, Param, Post, Query } from '@nestjs/common';
import { ApiOperation } from '@nestjs/swagger';
import { z } from 'zod';
import { OrderReader } from '../../read-models/order-reader.ts';
import { type LeaseDto, leaseDto, toLeaseDto } from '../orders/order.dto.ts';
import { LeaseDeskService } from './lease-desk.service.ts';

const listQuery = pageQuery.extend({
  state: leaseDto.shape.state.optional(),
  orderId: z.string().max(60).optional(),
});
const rejection = z.strictObject({ reason: z.string().min(1).max(300).default('no reason given') });

@Controller('v1/leases')
export class LeasesController {
  constructor(
    private readonly desk: LeaseDeskService,
    private readonly reader: OrderReader,
  ) {}

  @Get()
  @RequireScopes('leases:read')
  @ApiOperation({ summary: 'Your leases, as tenant and as provider, newest first' })
  @Returns(200, page(leaseDto).meta({ id: 'LeasePage' }))
  async list(@Query({ schema: listQuery }) query: z.output<typeof listQuery>, @Caller() caller: Caller) {
    const { items, nextCursor } = await this.reader.leases(caller.accountId, query);
    return { items: items.map(toLeaseDto), nextCursor };
  }

  @Get(':id')
  @RequireScopes('leases:read')
  @ApiOperation({ summary: 'One lease' })
  @Returns(200, leaseDto)
  async get(@Param('id') leaseId: string, @Caller() caller: Caller): Promise<LeaseDto> {
    return toLeaseDto(await this.reader.lease(caller.accountId, leaseId));
  }

  @Post(':id/close')
  @RequireScopes('leases:write')
  @ApiOperation({ summary: 'Ends a lease; tear-down, final settlement and refund follow' })
  @Returns(202, leaseDto)
  async close(@Param('id') leaseId: string, @Caller() caller: Caller): Promise<LeaseDto> {
    return toLeaseDto(await this.desk.close(caller, leaseId));
  }

  @Post(':id/accept')
  @RequireScopes('providers:write')
  @ApiOperation({ summary: 'The provider agrees to a proposed lease' })
  @Returns(200, leaseDto)
  async accept(@Param('id') leaseId: string, @Caller() caller: Caller): Promise<LeaseDto> {
    return toLeaseDto(await this.desk.accept(caller, leaseId));
  }

  @Post(':id/reject')
  @RequireScopes('providers:write')
  @ApiOperation({ summary: 'The provider declines a proposed lease; the next candidate is asked' })
  @Returns(200, leaseDto)
  async reject(
    @Param('id') leaseId: string,
    @Body({ schema: rejection }) { reason }: z.output<typeof rejection>,
    @Caller() caller: Caller,
  ): Promise<LeaseDto> {
    return toLeaseDto(await this.desk.reject(caller, leaseId, reason));
  }
}
