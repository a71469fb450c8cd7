import { baseConfig, environmentInput, parseConfig } from '@gridbourse/api';
import { rebuildAlone } from '@gridbourse/event-store';
import { readFileSync } from 'node:fs';
import { matchmakerCatalogue } from '../event-catalogue.ts';
import { BidEntity } from './bid.entity.ts';
import { LeaseEntity } from './lease.entity.ts';
import { OrderEntity } from './order.entity.ts';
import { ordersReadModel } from './orders-read-model.ts';

// node services/matchmaker/dist/read-models/rebuild.js, beside the running service, with its configuration.

const input = environmentInput('matchmaker', process.env, (path) => readFileSync(path, 'utf8'));
const { databaseUrl } = parseConfig('matchmaker', baseConfig.pick({ databaseUrl: true }), input);
const rebuilt = await rebuildAlone({
  databaseUrl,
  context: 'matchmaker',
  catalogue: matchmakerCatalogue,
  entities: [OrderEntity, BidEntity, LeaseEntity],
  readModels: (store) => [ordersReadModel(store)],
});
process.stdout.write(`${JSON.stringify(rebuilt)}\n`);
