import { EmbeddedBus, type EventBus, KafkaBus, kafkaConfig } from '@gridbourse/event-bus';
import type { Logger } from '@gridbourse/observability';
import { z } from 'zod';

/** A Postgres database. */
export const postgresUrl = z
  .string()
  .regex(/^postgres(ql)?:\/\//, 'expected postgres://user:password@host:port/database');

/** Which bus joins the services. All services of one platform must have the same. */
export const busConfig = z.discriminatedUnion('adapter', [
  z.object({
    adapter: z.literal('embedded'),
    /** The one database that all services share for it. */
    url: postgresUrl,
  }),
  z.object({ adapter: z.literal('kafka'), kafka: kafkaConfig }),
]);
export type BusConfig = z.output<typeof busConfig>;

/**
 * The bus of one service.
 * @param service.databaseUrl its own database: with Kafka, dead letters and parked keys are kept there
 */
export const makeBus = (
  config: BusConfig,
  service: { readonly databaseUrl: string; readonly logger: Logger },
): EventBus => {
  const { databaseUrl, logger } = service;
  return config.adapter === 'kafka'
    ? new KafkaBus({ config: config.kafka, deadLetters: { databaseUrl }, logger })
    : new EmbeddedBus({ databaseUrl: config.url, logger });
};

/** Where the dead letters of a service are. */
export const deadLetterDatabaseOf = (config: BusConfig, service: { readonly databaseUrl: string }): string =>
  config.adapter === 'kafka' ? service.databaseUrl : config.url;
