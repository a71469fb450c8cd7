import { Module } from '@nestjs/common';
import { AuctionsController } from './features/auctions/auctions.controller.ts';
import { BidDeskService } from './features/auctions/bid-desk.service.ts';
import { BidsController } from './features/auctions/bids.controller.ts';
import { AuctionServiceController } from './features/grpc/auction-service.controller.ts';
import { OrderServiceController } from './features/grpc/order-service.controller.ts';
import { LeaseDeskService } from './features/leases/lease-desk.service.ts';
import { LeasesController } from './features/leases/leases.controller.ts';
import { ProviderEventsConsumer } from './features/market/provider-events.consumer.ts';
import { BillingEventsConsumer } from './features/money/billing-events.consumer.ts';
import { ChainEventsConsumer } from './features/money/chain-events.consumer.ts';
import { OrderDeskService } from './features/orders/order-desk.service.ts';
import { OrdersController } from './features/orders/orders.controller.ts';
import { SubmitOrderService } from './features/orders/submit-order.service.ts';
import { TimelineService } from './features/orders/timeline.service.ts';
import { QuoteService } from './features/quotes/quote.service.ts';
import { QuotesController } from './features/quotes/quotes.controller.ts';
import { WorkloadEventsConsumer } from './features/workloads/workload-events.consumer.ts';
import { BidReader } from './read-models/bid-reader.ts';
import { MatchReader } from './read-models/match-reader.ts';
import { OrderReader } from './read-models/order-reader.ts';
import { TimelineReader } from './read-models/timeline-reader.ts';
import { AuctionSignals } from './writer/auction-signals.ts';
import { MatchmakerMetrics } from './writer/matchmaker-metrics.ts';
import { Matchmaker } from './writer/matchmaker.ts';
import { OrderSignals } from './writer/order-signals.ts';

@Module({
  controllers: [
    OrdersController,
    QuotesController,
    LeasesController,
    AuctionsController,
    BidsController,
    OrderServiceController,
    AuctionServiceController,
    ProviderEventsConsumer,
    WorkloadEventsConsumer,
    BillingEventsConsumer,
    ChainEventsConsumer,
  ],
  providers: [
    Matchmaker,
    MatchmakerMetrics,
    OrderSignals,
    AuctionSignals,
    OrderReader,
    BidReader,
    MatchReader,
    TimelineReader,
    SubmitOrderService,
    OrderDeskService,
    TimelineService,
    QuoteService,
    LeaseDeskService,
    BidDeskService,
  ],
})
export class MatchmakerModule {}
