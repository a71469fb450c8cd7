// A process of the crash test: appends what its keys still lack, and relays as any service does. It never ends by itself.
import 'reflect-metadata';
import { EventStore, OutboxRelay } from '@gridbourse/event-store';
import { systemClock } from '@gridbourse/kernel';
import { DataSource } from 'typeorm';
import { type CountedEvent, counterCatalogue, streamOf } from './language.ts';
import { connectBus, loggerOf, planOfThisProcess } from './plan.ts';

const plan = planOfThisProcess();
const logger = loggerOf(plan, 'producer');
const mine = Number(process.argv[2]);
const dataSource = await new DataSource({
  type: 'postgres',
  url: plan.producerDatabase,
  poolSize: 4,
}).initialize();
const store = new EventStore<CountedEvent>({
  context: 'shop',
  catalogue: counterCatalogue,
  clock: systemClock,
});
const relay = new OutboxRelay({
  ...{
    dataSource,
    bus: connectBus(plan, logger),
    catalogue: counterCatalogue,
    context: 'shop',
    logger,
  },
  batchSize: 1_000,
});
relay.start();
process.send!('up');

const rows = await dataSource.query<{ stream_id: string; version: string }[]>(
  'SELECT stream_id, version FROM streams',
);
const versions = new Map(rows.map(({ stream_id, version }) => [stream_id, Number(version)]));
const streams = Array.from({ length: plan.keys }, (_, n) => n)
  .filter((n) => n % plan.producers === mine)
  .map(streamOf);

const STREAMS_AT_ONCE = 50;
const EVENTS_AT_ONCE = 5;
for (let done = false; !done;) {
  done = true;
  for (let at = 0; at < streams.length; at += STREAMS_AT_ONCE) {
    const appends = streams.slice(at, at + STREAMS_AT_ONCE).flatMap((streamId) => {
      const version = versions.get(streamId) ?? 0;
      const count = Math.min(EVENTS_AT_ONCE, plan.eventsPerKey - version);
      if (count <= 0) return [];
      versions.set(streamId, version + count);
      const events = Array.from({ length: count }, (_, i) => ({
        type: 'Counted' as const,
        count: version + i + 1,
      }));
      return [{ streamId, expectedVersion: version, events }];
    });
    if (appends.length === 0) continue;
    done = false;
    await dataSource.transaction((manager) => store.append(manager, appends));
    relay.wake();
  }
}
