import { Caller, IdempotencyKey, page, pageQuery, RequireScopes, Returns } from '@gridbourse/api';
import { invalid, rfc3339 } from '@gridbourse/kernel';
import { Body, Controller, Get, Headers, Param, Post, Query, Res } from '@nestjs/common';
import { ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { OrderReader } from '../../read-models/order-reader.ts';
import type { TimelineItem } from '../../read-models/timeline-reader.ts';
import {
  type OrderDto,
  orderDto,
  orderExplanationDto,
  type OrderExplanationDto,
  toOrderDto,
  toOrderExplanationDto,
} from './order.dto.ts';
import { OrderDeskService } from './order-desk.service.ts';
import { orderRequest, type OrderRequest } from './order-request.ts';
import { preferredWaitMs } from './prefer.ts';
import { clientGone, sendEvents, type ServerSentEvent } from './server-sent-events.ts';
import { SubmitOrderService } from './submit-order.service.ts';
import { TimelineService } from './timeline.service.ts';

const listQuery = pageQuery.extend({
  state: orderDto.shape.state.optional(),
});
const timelineDto = z
  .object({
    id: z.string(),
    at: z.iso.datetime(),
    type: z.string(),
    leaseId: z.string().nullable(),
    text: z.string(),
    data: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'TimelineItem' });

const toTimelineDto = ({
  id,
  atMs,
  type,
  leaseId,
  text,
  data,
}: TimelineItem): z.output<typeof timelineDto> => ({
  id,
  at: rfc3339(atMs),
  type,
  leaseId,
  text,
  data,
});

const lastEventIdOf = (header: string | undefined): string => {
  if (header === undefined || header === '') return '0';
  if (/^\d{1,18}$/.test(header)) return header;
  throw invalid('invalid_last_event_id', 'Last-Event-ID: expected the id of an event of this stream');
};

async function* asEvents(items: AsyncGenerator<TimelineItem>): AsyncGenerator<ServerSentEvent> {
  for await (const item of items) yield { id: item.id, event: item.type, data: toTimelineDto(item) };
}

@Controller('v1/orders')
export class OrdersController {
  constructor(
    private readonly submitOrder: SubmitOrderService,
    private readonly desk: OrderDeskService,
    private readonly timelines: TimelineService,
    private readonly reader: OrderReader,
  ) {}

  @Post()
  @RequireScopes('orders:write')
  @ApiOperation({
    summary: 'Puts an order into the book: matched at once where a place is free, or after an auction',
  })
  @Returns(201, orderDto)
  async submit(
    @Body({ schema: orderRequest }) request: OrderRequest,
    @Caller() caller: Caller,
    @Headers('prefer') prefer: string | undefined,
    @IdempotencyKey() idempotencyKey: string | undefined,
  ): Promise<OrderDto> {
    const orderId = await this.submitOrder.submit(caller, request, idempotencyKey);
    const { order, leases } = await this.desk.settled(caller, orderId, preferredWaitMs(prefer));
    return toOrderDto(order, leases);
  }

  @Get()
  @RequireScopes('orders:read')
  @ApiOperation({ summary: 'Your orders, newest first' })
  @Returns(200, page(orderDto).meta({ id: 'OrderPage' }))
  async list(@Query({ schema: listQuery }) query: z.output<typeof listQuery>, @Caller() caller: Caller) {
    const { items, nextCursor } = await this.reader.orders(caller.accountId, query);
    return { items: items.map(({ order, leases }) => toOrderDto(order, leases)), nextCursor };
  }

  @Get(':id')
  @RequireScopes('orders:read')
  @ApiOperation({ summary: 'One order with its leases' })
  @Returns(200, orderDto)
  async get(@Param('id') orderId: string, @Caller() caller: Caller): Promise<OrderDto> {
    const { order, leases } = await this.reader.order(caller.accountId, orderId);
    return toOrderDto(order, leases);
  }

  @Post(':id/cancel')
  @RequireScopes('orders:write')
  @ApiOperation({ summary: 'Ends an order from whatever state it is in; funded leases are closed' })
  @Returns(200, orderDto)
  async cancel(@Param('id') orderId: string, @Caller() caller: Caller): Promise<OrderDto> {
    const { order, leases } = await this.desk.cancel(caller, orderId);
    return toOrderDto(order, leases);
  }

  @Get(':id/explanation')
  @RequireScopes('orders:read')
  @ApiOperation({
    summary:
      'Why the order has no place, and the smallest change with which it would have one; what it was matched with, and what came second',
  })
  @Returns(200, orderExplanationDto)
  async explanation(@Param('id') orderId: string, @Caller() caller: Caller): Promise<OrderExplanationDto> {
    return toOrderExplanationDto(await this.desk.explain(caller, orderId));
  }

  @Get(':id/timeline')
  @RequireScopes('orders:read')
  @ApiOperation({
    summary:
      'All that happened to the order and its leases; as a stream of server-sent events when asked for one',
    description: 'With `Accept: text/event-stream` it goes on live, and resumes behind `Last-Event-ID`.',
  })
  @ApiOkResponse({ standardSchema: z.object({ items: z.array(timelineDto) }).meta({ id: 'Timeline' }) })
  async timeline(
    @Param('id') orderId: string,
    @Caller() caller: Caller,
    @Headers('accept') accept: string | undefined,
    @Headers('last-event-id') lastEventId: string | undefined,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const after = lastEventIdOf(lastEventId);
    if (!accept?.includes('text/event-stream')) {
      const items = await this.timelines.items(caller, orderId, after, 1_000);
      await reply.status(200).send({ items: items.map(toTimelineDto) });
      return;
    }
    const gone = clientGone(reply);
    await sendEvents(reply, asEvents(this.timelines.follow(caller, orderId, after, gone)), gone);
  }
}
