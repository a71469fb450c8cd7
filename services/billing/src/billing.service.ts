import { defineService } from '@gridbourse/api';
import { signerMigration } from '@gridbourse/chain';
import { sqlMigrations } from '@gridbourse/event-store';
import { billingEvents, EventCatalogue } from '@gridbourse/events';
import { type BillingConfig, billingConfig } from './billing.config.ts';
import { BillingModule } from './billing.module.ts';
import { chainReadModel } from './read-models/chain-read-model.ts';
import { usageReadModel } from './read-models/usage-read-model.ts';

/** Ledger, metering and rating, the relayer, settlement, and the reconciliation of meter, ledger and chain. */
export const billingService = defineService<BillingConfig>({
  name: 'billing',
  configSchema: billingConfig,
  catalogue: new EventCatalogue(billingEvents),
  entities: [],
  migrations: [signerMigration, ...sqlMigrations(new URL('../migrations/', import.meta.url), 'billing')],
  readModels: () => [chainReadModel(), usageReadModel],
  module: () => BillingModule,
  publicPaths: [
    '/v1/books',
    '/v1/breaks',
    '/v1/escrow',
    '/v1/invoices',
    '/v1/reconciliations',
    '/v1/settlements',
    '/v1/usage',
  ],
});
