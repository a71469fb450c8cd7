import { configureLogging, createLogger, type Logger } from '@gridbourse/observability';
import { EmbeddedBus, type EventBus, KafkaBus, kafkaConfig } from '@gridbourse/event-bus';

/** What each process of the crash test is told, as JSON in its environment. */
export type CrashPlan = {
  readonly producerDatabase: string;
  readonly consumerDatabase: string;
  readonly bus:
    | { readonly kind: 'embedded'; readonly databaseUrl: string }
    | { readonly kind: 'kafka'; readonly brokers: string };
  readonly keys: number;
  readonly eventsPerKey: number;
  /** A producer appends for the keys whose number has this remainder. */
  readonly producers: number;
  /** Where the processes say what went wrong. */
  readonly logFile: string;
};

export const ENVIRONMENT = 'GRIDBOURSE_CRASH_PLAN';
export const GROUP = 'crash-reader';

export const planOfThisProcess = (): CrashPlan => JSON.parse(process.env[ENVIRONMENT]!) as CrashPlan;

/** Into the log file, of which the end is shown when the test fails: joinings and commits that failed too. */
export const loggerOf = ({ logFile }: CrashPlan, name: string): Logger => {
  configureLogging({ level: 'debug', file: logFile });
  return createLogger(`${name} ${process.pid}`);
};

export const connectBus = ({ bus, consumerDatabase }: CrashPlan, logger: Logger): EventBus =>
  bus.kind === 'embedded'
    ? new EmbeddedBus({ databaseUrl: bus.databaseUrl, logger, rebalanceMs: 200 })
    : new KafkaBus({
        config: kafkaConfig.parse({
          brokers: bus.brokers,
          sessionTimeoutMs: 2_000,
          rebalanceTimeoutMs: 3_000,
          heartbeatMs: 300,
          requestTimeoutMs: 5_000,
        }),
        deadLetters: { databaseUrl: consumerDatabase },
        logger,
      });
