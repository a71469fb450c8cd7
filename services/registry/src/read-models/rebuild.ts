import { baseConfig, environmentInput, parseConfig } from '@gridbourse/api';
import { rebuildAlone } from '@gridbourse/event-store';
import { readFileSync } from 'node:fs';
import { registryCatalogue } from '../domain/private-events.ts';
import { OfferEntity } from './offer.entity.ts';
import { ProviderEntity } from './provider.entity.ts';
import { providersReadModel } from './providers-read-model.ts';

// node services/registry/dist/read-models/rebuild.js, beside the running service, with its configuration.

const input = environmentInput('registry', process.env, (path) => readFileSync(path, 'utf8'));
const { databaseUrl } = parseConfig('registry', baseConfig.pick({ databaseUrl: true }), input);
const rebuilt = await rebuildAlone({
  databaseUrl,
  context: 'registry',
  catalogue: registryCatalogue,
  entities: [ProviderEntity, OfferEntity],
  readModels: () => [providersReadModel()],
});
process.stdout.write(`${JSON.stringify(rebuilt)}\n`);
