import { Caller, RequireScopes } from '@gridbourse/api';
import { matchmakerV1 } from '@gridbourse/proto';
import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { map, Observable } from 'rxjs';
import { OrderReader } from '../../read-models/order-reader.ts';
import { LeaseDeskService } from '../leases/lease-desk.service.ts';
import { OrderDeskService } from '../orders/order-desk.service.ts';
import { orderRequest } from '../orders/order-request.ts';
import { SubmitOrderService } from '../orders/submit-order.service.ts';
import { TimelineService } from '../orders/timeline.service.ts';
import { QuoteService } from '../quotes/quote.service.ts';
import {
  checked,
  said,
  toExplainOrderMessage,
  toLeaseMessage,
  toManifestRequest,
  toOrderMessage,
  toQuoteMessage,
  wishesOf,
} from './order-messages.ts';

/** A generator as an Observable: unsubscribing, which is what Nest does when the client goes away, ends it. */
const observe = <T>(make: (abort: AbortSignal) => AsyncGenerator<T>): Observable<T> =>
  new Observable((subscriber) => {
    const gone = new AbortController();
    const run = async (): Promise<void> => {
      for await (const value of make(gone.signal)) subscriber.next(value);
      subscriber.complete();
    };
    run().catch((error: unknown) => subscriber.error(error));
    return () => gone.abort();
  });

/** The same operations as over REST. */
@Controller()
@matchmakerV1.OrderServiceControllerMethods()
export class OrderServiceController {
  constructor(
    private readonly submitter: SubmitOrderService,
    private readonly desk: OrderDeskService,
    private readonly leaseDesk: LeaseDeskService,
    private readonly quotes: QuoteService,
    private readonly timelines: TimelineService,
    private readonly reader: OrderReader,
  ) {}

  @RequireScopes('orders:read')
  async quote(@Payload() request: matchmakerV1.QuoteRequest): Promise<matchmakerV1.QuoteResponse> {
    return toQuoteMessage(await this.quotes.quote(toManifestRequest(request.order)));
  }

  @RequireScopes('orders:write')
  async submitOrder(
    @Payload() request: matchmakerV1.SubmitOrderRequest,
    @Caller() caller: Caller,
  ): Promise<matchmakerV1.SubmitOrderResponse> {
    const wishes = {
      ...wishesOf(request.order),
      ...said('waitSeconds', request.waitSeconds, 0),
      ...said('mode', request.mode, ''),
      ...said('windowSeconds', request.windowSeconds, 0),
    };
    const key = request.idempotencyKey === '' ? undefined : request.idempotencyKey;
    const orderId = await this.submitter.submit(caller, checked(orderRequest, wishes), key);
    return { order: toOrderMessage(await this.reader.order(caller.accountId, orderId)) };
  }

  @RequireScopes('orders:read')
  async getOrder(
    @Payload() { orderId }: matchmakerV1.GetOrderRequest,
    @Caller() caller: Caller,
  ): Promise<matchmakerV1.GetOrderResponse> {
    return { order: toOrderMessage(await this.reader.order(caller.accountId, orderId)) };
  }

  @RequireScopes('orders:read')
  async explainOrder(
    @Payload() { orderId }: matchmakerV1.ExplainOrderRequest,
    @Caller() caller: Caller,
  ): Promise<matchmakerV1.ExplainOrderResponse> {
    return toExplainOrderMessage(await this.desk.explain(caller, orderId));
  }

  @RequireScopes('orders:write')
  async cancelOrder(
    @Payload() { orderId }: matchmakerV1.CancelOrderRequest,
    @Caller() caller: Caller,
  ): Promise<matchmakerV1.CancelOrderResponse> {
    return { order: toOrderMessage(await this.desk.cancel(caller, orderId)) };
  }

  @RequireScopes('leases:write')
  async closeLease(
    @Payload() { leaseId }: matchmakerV1.CloseLeaseRequest,
    @Caller() caller: Caller,
  ): Promise<matchmakerV1.CloseLeaseResponse> {
    return { lease: toLeaseMessage(await this.leaseDesk.close(caller, leaseId)) };
  }

  @RequireScopes('orders:read')
  watchOrder(
    @Payload() { orderId }: matchmakerV1.WatchOrderRequest,
    @Caller() caller: Caller,
  ): Observable<matchmakerV1.WatchOrderResponse> {
    return observe((abort) => this.timelines.watch(caller, orderId, abort)).pipe(
      map((found) => ({ order: toOrderMessage(found) })),
    );
  }
}
