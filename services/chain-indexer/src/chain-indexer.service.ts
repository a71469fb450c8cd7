import { defineService } from '@gridbourse/api';
import { sqlMigrations } from '@gridbourse/event-store';
import { chainIndexerEvents, EventCatalogue } from '@gridbourse/events';
import { type ChainIndexerConfig, chainIndexerConfig } from './chain-indexer.config.ts';
import { ChainIndexerModule } from './chain-indexer.module.ts';
import { logsReadModel } from './read-models/logs-read-model.ts';

/** Turns the contracts' logs into events that can be relied on: in order, retracted when the chain takes them back. */
export const chainIndexerService = defineService<ChainIndexerConfig>({
  name: 'chain-indexer',
  configSchema: chainIndexerConfig,
  catalogue: new EventCatalogue(chainIndexerEvents),
  entities: [],
  migrations: sqlMigrations(new URL('../migrations/', import.meta.url), 'chain-indexer'),
  readModels: () => [logsReadModel],
  module: () => ChainIndexerModule,
  publicPaths: ['/v1/chain'],
});
