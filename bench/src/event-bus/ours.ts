import {
  type BatchHandler,
  BusStrategy,
  type Delivery,
  type EventBus,
  inboxMigrationSql,
  type SubscribeOptions,
} from '@gridbourse/event-bus';
import { silentLogger } from '@gridbourse/observability';
import { DataSource } from 'typeorm';
import { benchCatalogue, measured } from './load.ts';
import type { Subject } from './subject.ts';

type Noted = { readonly delivery: Delivery; readonly prepared: unknown };

const observedBatch = (batch: BatchHandler, note: (delivery: Delivery) => void): BatchHandler<Noted> => ({
  prepare: (delivery) => {
    const prepared = batch.prepare(delivery);
    return prepared === null ? null : { delivery, prepared };
  },
  handle: async (noted) => {
    await batch.handle(noted.map(({ prepared }) => prepared));
    for (const { delivery } of noted) note(delivery);
  },
});

/** Tells of each record when its handler has returned, which is when its transaction is committed. */
const observed = (options: SubscribeOptions, note: (delivery: Delivery) => void): SubscribeOptions => ({
  ...options,
  handler: async (delivery) => {
    await options.handler(delivery);
    note(delivery);
  },
  ...(options.batch ? { batch: observedBatch(options.batch, note) } : {}),
});

/** The bus with what a service has behind it: the strategy, the inbox in a durable database, an empty handler. */
export const serviceOn = async (bus: EventBus, databaseUrl: string): Promise<Subject> => {
  const dataSource = await new DataSource({ type: 'postgres', url: databaseUrl, poolSize: 12 }).initialize();
  await dataSource.query(inboxMigrationSql());
  let handled: (sentAtMs: number) => void = () => undefined;
  const watched: EventBus = {
    start: () => bus.start(),
    publish: (records) => bus.publish(records),
    lag: (group) => bus.lag(group),
    close: () => bus.close(),
    subscribe: (options) =>
      bus.subscribe(observed(options, ({ value }) => handled((value as { sentAtMs: number }).sentAtMs))),
  };
  const strategy = new BusStrategy({
    ...{ bus: watched, dataSource, group: 'bench', catalogue: benchCatalogue, logger: silentLogger },
  });
  strategy.addHandler(`gridbourse.bench.${measured.type}`, () => Promise.resolve(), true, {
    definition: measured,
    transaction: 'bus',
  });
  await new Promise<void>((resolve, reject) =>
    strategy.listen((error) =>
      error ? reject(new Error('the bus could not be listened to', { cause: error })) : resolve(),
    ),
  );
  return {
    publish: (records) => bus.publish(records),
    onHandled: (callback) => (handled = callback),
    close: async () => {
      await strategy.close();
      await bus.close();
      await dataSource.destroy();
    },
  };
};
