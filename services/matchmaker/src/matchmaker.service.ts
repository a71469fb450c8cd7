import { defineService } from '@gridbourse/api';
import { sqlMigrations } from '@gridbourse/event-store';
import { matchmakerCatalogue } from './event-catalogue.ts';
import { type MatchmakerConfig, matchmakerConfig } from './matchmaker.config.ts';
import { MatchmakerModule } from './matchmaker.module.ts';
import { BidEntity } from './read-models/bid.entity.ts';
import { LeaseEntity } from './read-models/lease.entity.ts';
import { EscrowBalanceEntity, OfferEntity, ProviderEntity } from './read-models/market.entities.ts';
import { OrderEntity } from './read-models/order.entity.ts';
import { escrowReadModel } from './read-models/escrow-read-model.ts';
import { marketReadModel } from './read-models/market-read-model.ts';
import { ordersReadModel } from './read-models/orders-read-model.ts';
import { timelineReadModel } from './read-models/timeline-read-model.ts';

/** Orders, leases, and who holds which machine. */
export const matchmakerService = defineService<MatchmakerConfig>({
  name: 'matchmaker',
  configSchema: matchmakerConfig,
  catalogue: matchmakerCatalogue,
  entities: [...[OrderEntity, BidEntity, LeaseEntity], ...[ProviderEntity, OfferEntity, EscrowBalanceEntity]],
  migrations: sqlMigrations(new URL('../migrations/', import.meta.url), 'matchmaker'),
  readModels: (store) => [ordersReadModel(store), marketReadModel, escrowReadModel, timelineReadModel],
  module: () => MatchmakerModule,
  publicPaths: ['/v1/orders', '/v1/quotes', '/v1/leases', '/v1/auctions', '/v1/bids'],
  grpc: [{ package: 'gridbourse.matchmaker.v1', proto: 'gridbourse/matchmaker/v1/orders.proto' }],
});
