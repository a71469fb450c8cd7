import { defineService } from '@gridbourse/api';
import { sqlMigrations } from '@gridbourse/event-store';
import { registryCatalogue } from './domain/private-events.ts';
import { registryAccountsReadModel } from './read-models/accounts-read-model.ts';
import { OfferEntity } from './read-models/offer.entity.ts';
import { ProviderEntity } from './read-models/provider.entity.ts';
import { providersReadModel } from './read-models/providers-read-model.ts';
import { stakesReadModel } from './read-models/stakes-read-model.ts';
import { registryConfig, type RegistryConfig } from './registry.config.ts';
import { RegistryModule } from './registry.module.ts';

/** Accounts and API keys, providers and their offers, telemetry, eras and tiers. */
export const registryService = defineService<RegistryConfig>({
  name: 'registry',
  configSchema: registryConfig,
  catalogue: registryCatalogue,
  entities: [ProviderEntity, OfferEntity],
  migrations: sqlMigrations(new URL('../migrations/', import.meta.url), 'registry'),
  readModels: () => [registryAccountsReadModel, providersReadModel(), stakesReadModel],
  module: () => RegistryModule,
  publicPaths: [
    '/v1/auth',
    '/v1/accounts',
    '/v1/api-keys',
    '/v1/providers',
    '/v1/offers',
    '/.well-known/jwks.json',
  ],
  grpc: [{ package: 'gridbourse.registry.v1', proto: 'gridbourse/registry/v1/agent.proto' }],
});
