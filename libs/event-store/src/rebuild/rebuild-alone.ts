import type { DomainEvent, EventCatalogue } from '@gridbourse/events';
import { systemClock } from '@gridbourse/kernel';
import { createLogger } from '@gridbourse/observability';
import { DataSource, type EntitySchema, type MixedList } from 'typeorm';
import { EventStore } from '../event-store.ts';
import { type ReadModel, ReadModelRebuild } from './read-model-rebuild.ts';

export type RebuildAloneOptions<E extends DomainEvent> = {
  readonly databaseUrl: string;
  /** The bounded context, for example `matchmaker`. */
  readonly context: string;
  readonly catalogue: EventCatalogue<E>;
  /** Those that the projections use. */
  // eslint-disable-next-line @typescript-eslint/no-unsafe-function-type -- TypeORM's own name for an entity class
  readonly entities: MixedList<Function | string | EntitySchema>;
  readonly readModels: (store: EventStore<E>) => readonly ReadModel<E>[];
};

/**
 * Rebuilds the read models of a service one after the other, in a process of its own, while the service runs in others.
 * SIGINT and SIGTERM interrupt it after the page in hand: the next run carries on.
 *
 * @returns how many events each was made of
 */
export const rebuildAlone = async <E extends DomainEvent>(
  options: RebuildAloneOptions<E>,
): Promise<Record<string, number>> => {
  const { databaseUrl, context, catalogue, entities, readModels } = options;
  const interruption = new AbortController();
  const interrupt = (signal: NodeJS.Signals): void =>
    interruption.abort(new Error(`${signal}: run it again to carry on`));
  const dataSource = await new DataSource({
    type: 'postgres',
    url: databaseUrl,
    applicationName: `gridbourse-${context}-rebuild`,
    entities,
    poolSize: 2,
  }).initialize();
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  try {
    const store = new EventStore<E>({ context, catalogue, clock: systemClock });
    const logger = createLogger(context);
    const counts: Record<string, number> = {};
    for (const readModel of readModels(store)) {
      const rebuild = new ReadModelRebuild({ dataSource, store, readModel, logger });
      counts[readModel.name] = (await rebuild.run(interruption.signal)).events;
    }
    return counts;
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
    await dataSource.destroy();
  }
};
