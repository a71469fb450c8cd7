import type { Logger } from '@gridbourse/observability';
import { type ISocketFactory, Kafka, type LogEntry, logLevel } from 'kafkajs';
import type { KafkaConfig } from './kafka-config.ts';
import { calmRequestQueues } from './request-queue.ts';

calmRequestQueues();

/** What is worth knowing about Kafka the publisher and the consumers say themselves; kafkajs says much of it many times. */
const logTo =
  (logger: Logger) =>
  () =>
  ({ namespace, log }: LogEntry): void => {
    const { message, timestamp: _, logger: __, ...fields } = log;
    logger.debug({ ...fields, from: `kafkajs ${namespace}` }, message);
  };

export const kafkaClient = (config: KafkaConfig, logger: Logger, socketFactory?: ISocketFactory): Kafka =>
  new Kafka({
    ...(socketFactory ? { socketFactory } : {}),
    brokers: config.brokers,
    clientId: config.clientId,
    ssl: typeof config.ssl === 'boolean' ? config.ssl : defined(config.ssl),
    ...(config.sasl
      ? { sasl: config.sasl as { mechanism: 'plain'; username: string; password: string } }
      : {}),
    connectionTimeout: config.connectionTimeoutMs,
    authenticationTimeout: config.connectionTimeoutMs * 2,
    requestTimeout: config.requestTimeoutMs,
    enforceRequestTimeout: true,
    logLevel: logLevel.WARN,
    logCreator: logTo(logger),
    retry: { initialRetryTime: 50, maxRetryTime: 1_000, retries: 5 },
  });

/** Without the properties that are undefined, which Node's TLS would take for values. */
const defined = <T extends object>(object: T): { [K in keyof T]: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as never;
