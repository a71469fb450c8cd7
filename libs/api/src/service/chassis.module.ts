import { EventStore, eventStoreMigrations, migrate } from '@gridbourse/event-store';
import { DomainError, systemClock, systemRandom } from '@gridbourse/kernel';
import { type KeyValue, MemoryKeyValue } from '@gridbourse/key-value';
import { createLogger, type Meter, serviceMeter } from '@gridbourse/observability';
import {
  type DynamicModule,
  Global,
  Module,
  StandardSchemaSerializerInterceptor,
  StandardSchemaValidationPipe,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { Pool } from 'pg';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { AccountDirectory } from '../auth/account-directory.ts';
import { AccountReplica } from '../auth/account-replica.ts';
import { AccountEntity } from '../auth/account.entity.ts';
import { ApiKeyEntity } from '../auth/api-key.entity.ts';
import { AuthGuard } from '../auth/auth.guard.ts';
import { ProblemFilter } from '../errors/problem.filter.ts';
import { IdempotencyInterceptor } from '../http/idempotency.interceptor.ts';
import { IdempotencySweep } from '../http/idempotency-sweep.ts';
import { BusOperations } from '../operations/bus-operations.ts';
import { OperationsController } from '../operations/operations.controller.ts';
import { ReadModelOperations } from '../operations/read-model-operations.ts';
import { ReadModelsController } from '../operations/read-models.controller.ts';
import { RateLimitGuard } from '../limits/rate-limit.guard.ts';
import type { BaseConfig } from './base-config.ts';
import { deadLetterDatabaseOf } from './bus-config.ts';
import { chassisMigration } from './chassis.migration.ts';
import type { ServiceDefinition, ServiceParts } from './definition.ts';
import { HealthController } from './health.controller.ts';
import { Outbox } from './outbox.ts';
import { PeriodicTasks } from './periodic-tasks.ts';
import { readModelsOf } from './read-models.ts';
import { Readiness } from './readiness.ts';
import { ScopeInterceptor } from './scope.interceptor.ts';
import { CLOCK, KEY_VALUE, LOGGER, METER, RANDOM, SERVICE_CONFIG, SERVICE_NAME } from './tokens.ts';

type Issue = {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { key: PropertyKey })[] | undefined;
};

const pointerOf = (path: Issue['path']): string =>
  (path ?? []).map((part) => `/${String(typeof part === 'object' ? part.key : part)}`).join('');

const refuse = (issues: readonly Issue[]): DomainError =>
  new DomainError('invalid', 'invalid_request', `the request has ${issues.length} problem(s)`, {
    faults: issues.map((issue) => ({ pointer: pointerOf(issue.path), message: issue.message })),
  });

export const dataSourceOptions = <C extends BaseConfig>(
  definition: ServiceDefinition<C>,
  config: Pick<C, 'databaseUrl' | 'databasePool'>,
): DataSourceOptions => ({
  type: 'postgres',
  url: config.databaseUrl,
  applicationName: `gridbourse-${definition.name}`,
  entities: [AccountEntity, ApiKeyEntity, ...definition.entities],
  migrations: [...eventStoreMigrations, chassisMigration, ...definition.migrations],
  migrationsTableName: 'migrations',
  migrationsTransactionMode: 'each',
  synchronize: false,
  poolSize: config.databasePool,
  extra: {
    // One open write transaction anywhere stops the readers of the event store: none may idle for long.
    idle_in_transaction_session_timeout: 15_000,
    statement_timeout: 30_000,
    connectionTimeoutMillis: 10_000,
  },
});

/**
 * A pooled client has no error listener until TypeORM takes it: a server that dies in that moment would end our process.
 * The failed query tells whoever asked.
 */
const surviveLostConnections = (dataSource: DataSource): void => {
  const { master } = dataSource.driver as unknown as { master: Pool };
  master.on('connect', (client) => client.on('error', () => undefined));
};

const observeAvailability = (meter: Meter, keyValue: KeyValue): void => {
  meter
    .createObservableGauge('gridbourse_key_value_available', {
      description: '1 while the key-value store answers; 0: nothing is rate-limited, nobody can sign in',
    })
    .addCallback((result) => result.observe(keyValue.isAvailable() ? 1 : 0));
};

/** What every service has, under names of its own: database, event store, clock, guard, error answers, health. */
@Global()
@Module({})
export class ChassisModule {
  static for<C extends BaseConfig>(
    definition: ServiceDefinition<C>,
    config: C,
    parts: ServiceParts,
  ): DynamicModule {
    const clock = parts.clock ?? systemClock;
    const keyValue = parts.keyValue ?? new MemoryKeyValue({ clock });
    const meter = serviceMeter(definition.name);
    observeAvailability(meter, keyValue);
    const shared = [
      EventStore,
      Outbox,
      PeriodicTasks,
      Readiness,
      AccountDirectory,
      CLOCK,
      RANDOM,
      SERVICE_CONFIG,
      SERVICE_NAME,
      LOGGER,
      METER,
      KEY_VALUE,
    ];
    return {
      module: ChassisModule,
      imports: [
        TypeOrmModule.forRootAsync({
          useFactory: () => ({ ...dataSourceOptions(definition, config), retryAttempts: 0 }),
          dataSourceFactory: async (options) => {
            const dataSource = await new DataSource(options!).initialize();
            surviveLostConnections(dataSource);
            await migrate(dataSource);
            return dataSource;
          },
        }),
      ],
      controllers: [HealthController, OperationsController, ReadModelsController, AccountReplica],
      providers: [
        { provide: CLOCK, useValue: clock },
        { provide: RANDOM, useValue: parts.random ?? systemRandom },
        { provide: SERVICE_CONFIG, useValue: config },
        { provide: SERVICE_NAME, useValue: definition.name },
        { provide: LOGGER, useValue: createLogger(definition.name) },
        { provide: METER, useValue: meter },
        { provide: KEY_VALUE, useValue: keyValue },
        {
          provide: BusOperations,
          useFactory: () =>
            new BusOperations(parts.bus, definition.name, deadLetterDatabaseOf(config.bus, config)),
        },
        {
          provide: EventStore,
          useFactory: () =>
            new EventStore({
              context: definition.name,
              catalogue: definition.catalogue,
              clock,
            }),
        },
        {
          provide: ReadModelOperations,
          inject: [DataSource, EventStore],
          useFactory: (dataSource: DataSource, store: EventStore) =>
            new ReadModelOperations(
              dataSource,
              store,
              readModelsOf(definition, store),
              createLogger(definition.name),
            ),
        },
        Outbox,
        PeriodicTasks,
        Readiness,
        AccountDirectory,
        IdempotencySweep,
        { provide: APP_FILTER, useValue: new ProblemFilter(definition.name) },
        { provide: APP_GUARD, useClass: AuthGuard },
        { provide: APP_GUARD, useClass: RateLimitGuard },
        { provide: APP_PIPE, useValue: new StandardSchemaValidationPipe({ exceptionFactory: refuse }) },
        { provide: APP_INTERCEPTOR, useValue: new ScopeInterceptor(definition.name) },
        { provide: APP_INTERCEPTOR, useClass: IdempotencyInterceptor },
        { provide: APP_INTERCEPTOR, useClass: StandardSchemaSerializerInterceptor },
      ],
      exports: [...shared, TypeOrmModule],
    };
  }
}
