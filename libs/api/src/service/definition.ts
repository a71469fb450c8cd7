import type { EventBus } from '@gridbourse/event-bus';
import type { EventStore, MigrationClass, ReadModel } from '@gridbourse/event-store';
import type { DomainEvent, EventCatalogue } from '@gridbourse/events';
import type { Clock, Random } from '@gridbourse/kernel';
import type { KeyValue } from '@gridbourse/key-value';
import type { DynamicModule, Type } from '@nestjs/common';
import type { z } from 'zod';
import type { BaseConfig } from './base-config.ts';

export type ServiceName = 'registry' | 'matchmaker' | 'orchestrator' | 'billing' | 'chain-indexer';

export type GrpcApi = {
  /** The protobuf package, `gridbourse.matchmaker.v1`. */
  package: string;
  /** Path of its file under proto/, `gridbourse/matchmaker/v1/orders.proto`. */
  proto: string;
};

/** All that makes one service differ from another; how it starts, listens, and stops is the chassis's. */
export type ServiceDefinition<C extends BaseConfig = BaseConfig> = {
  name: ServiceName;
  configSchema: z.ZodType<C>;
  /** Its own events, public and private. */
  catalogue: EventCatalogue<never> | EventCatalogue<DomainEvent>;
  // eslint-disable-next-line @typescript-eslint/no-unsafe-function-type -- TypeORM's own name for an entity class
  entities: Function[];
  migrations: MigrationClass[];
  /**
   * What can be made anew from events. Every service has its copy of accounts beside these, unless one of them fills
   * those tables.
   */
  readModels?: (store: EventStore) => readonly ReadModel<DomainEvent>[];
  /** The service's own Nest module; what the chassis provides is global beside it. */
  module: (config: C) => DynamicModule | Type;
  /** Path prefixes that the public origin routes here. */
  publicPaths: readonly string[];
  grpc?: readonly GrpcApi[];
};

export const defineService = <C extends BaseConfig>(definition: ServiceDefinition<C>): ServiceDefinition<C> =>
  definition;

/** What a service is handed from outside: it makes none of these itself. */
export type ServiceParts = {
  bus: EventBus;
  clock?: Clock;
  random?: Random;
  /** Without it the service keeps such things in its own memory. */
  keyValue?: KeyValue;
};
