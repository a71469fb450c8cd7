import { EventStore, ReadModelRebuild } from '@gridbourse/event-store';
import { notFound, systemClock } from '@gridbourse/kernel';
import { createLogger } from '@gridbourse/observability';
import { DataSource } from 'typeorm';
import type { BaseConfig } from './base-config.ts';
import { dataSourceOptions } from './chassis.module.ts';
import type { ServiceDefinition } from './definition.ts';
import { readModelsOf } from './read-models.ts';

/**
 * Rebuilds read models of a service one after the other in this process, whether the service runs in others or not.
 * SIGINT and SIGTERM interrupt it after the page in hand: the next run carries on.
 *
 * @param names all when empty
 * @returns how many events each was made of
 * @throws DomainError `read_model_not_found` before anything is done; and as ReadModelRebuild.run does
 */
export const rebuildAlone = async <C extends BaseConfig>(
  definition: ServiceDefinition<C>,
  config: Pick<BaseConfig, 'databaseUrl'>,
  names: readonly string[],
): Promise<Record<string, number>> => {
  const { name: context, catalogue } = definition;
  const store = new EventStore({ context, catalogue, clock: systemClock });
  const models = readModelsOf(definition, store);
  const unknown = names.find((name) => !models.some((model) => model.name === name));
  if (unknown !== undefined) throw notFound('read_model', unknown.slice(0, 60));
  const interruption = new AbortController();
  const interrupt = (signal: NodeJS.Signals): void =>
    interruption.abort(new Error(`${signal}: run it again to carry on`));
  const dataSource = await new DataSource({
    ...dataSourceOptions(definition, { databaseUrl: config.databaseUrl, databasePool: 2 }),
    applicationName: `gridbourse-${context}-rebuild`,
  } as ConstructorParameters<typeof DataSource>[0]).initialize();
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  try {
    const counts: Record<string, number> = {};
    for (const readModel of models.filter(({ name }) => names.length === 0 || names.includes(name))) {
      const rebuild = new ReadModelRebuild({ dataSource, store, readModel, logger: createLogger(context) });
      counts[readModel.name] = (await rebuild.run(interruption.signal)).events;
    }
    return counts;
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
    await dataSource.destroy();
  }
};
