import { BusStrategy } from '@gridbourse/event-bus';
import { EventStore, OutboxRelay } from '@gridbourse/event-store';
import { publishedLanguage } from '@gridbourse/events';
import { newId, systemClock, systemRandom } from '@gridbourse/kernel';
import { createLogger, enterScope, openScope } from '@gridbourse/observability';
import { GRPC_LOADER } from '@gridbourse/proto';
import { ReflectionService } from '@grpc/reflection';
import { type DynamicModule, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type GrpcOptions, Transport } from '@nestjs/microservices';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { OpenAPIObject } from '@nestjs/swagger';
import { HealthImplementation } from 'grpc-health-check';
import type { PackageDefinition } from '@grpc/proto-loader';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { DataSource } from 'typeorm';
import { openApiDocument } from '../http/openapi.ts';
import { type BaseConfig, parseConfig } from './base-config.ts';
import { ChassisModule } from './chassis.module.ts';
import type { ServiceDefinition, ServiceName, ServiceParts } from './definition.ts';
import { nestLogger } from './nest-logger.ts';
import { Outbox } from './outbox.ts';
import { readModelsOf } from './read-models.ts';
import { Readiness, type ReadyReport } from './readiness.ts';
import { SERVICE_CARD_PATH, SERVICE_OPENAPI_PATH, type ServiceCard } from './service-card.ts';

/** The OpenAPI document of one service. */
export type ServiceOpenApi = OpenAPIObject;

export type RunningService = {
  readonly name: ServiceName;
  readonly app: NestFastifyApplication;
  readonly publicPaths: readonly string[];
  readonly grpcPackages: readonly string[];
  /** `host:port`, undefined without a gRPC listener. */
  readonly grpcTarget: string | undefined;
  openApi(): ServiceOpenApi;
  /** Hands a request over without a socket in between. */
  handle(request: IncomingMessage, response: ServerResponse): void;
  ready(): Promise<ReadyReport>;
  /** Finishes what is in hand, then closes everything it opened. The bus stays: it was given. */
  close(): Promise<void>;
};

const once = <T>(make: () => T): (() => T) => {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
};

@Module({})
class ServiceRoot {
  static with(chassis: DynamicModule, own: DynamicModule | Type): DynamicModule {
    return { module: ServiceRoot, imports: [chassis, own] };
  }
}

const connectGrpc = <C extends BaseConfig>(
  app: NestFastifyApplication,
  definition: ServiceDefinition<C>,
  target: string,
): void => {
  app.connectMicroservice<GrpcOptions>(
    {
      transport: Transport.GRPC,
      options: {
        url: target,
        package: definition.grpc!.map((api) => api.package),
        protoPath: definition.grpc!.map((api) => api.proto),
        loader: { ...GRPC_LOADER, includeDirs: [...GRPC_LOADER.includeDirs] },
        maxReceiveMessageLength: 1_048_576,
        gracefulShutdown: true,
        onLoadPackageDefinition: (loaded: unknown, server: unknown) => {
          new ReflectionService(loaded as PackageDefinition).addToServer(server as never);
          new HealthImplementation({ '': 'SERVING' }).addToServer(server as never);
        },
      },
    },
    { inheritAppConfig: true },
  );
};

/**
 * Starts one service, alone in its process or beside others, by the same code.
 * @throws DomainError `invalid_config` with every problem of the configuration; any error of its parts as it is.
 */
export const startService = async <C extends BaseConfig>(
  definition: ServiceDefinition<C>,
  input: unknown,
  parts: ServiceParts,
): Promise<RunningService> => {
  const config = parseConfig(definition.name, definition.configSchema, input);
  const logger = createLogger(definition.name);
  const app = await NestFactory.create<NestFastifyApplication>(
    ServiceRoot.with(ChassisModule.for(definition, config, parts), definition.module(config)),
    new FastifyAdapter({
      bodyLimit: config.bodyLimitBytes,
      forceCloseConnections: true,
      trustProxy: config.trustedProxies.length > 0 ? config.trustedProxies : false,
    }),
    { logger: nestLogger(logger), abortOnError: false },
  );
  const fastify = app.getHttpAdapter().getInstance();
  fastify.addHook('onRequest', (request, reply, done) => {
    const traceparent = request.headers['traceparent'];
    const requestId = newId('request', systemClock.now(), systemRandom);
    enterScope(
      openScope(definition.name, typeof traceparent === 'string' ? traceparent : undefined, requestId),
    );
    void reply.header('x-request-id', requestId);
    done();
  });

  const withGrpc = config.grpcPort > 0 && (definition.grpc?.length ?? 0) > 0;
  const grpcPackages = definition.grpc?.map((api) => api.package) ?? [];
  const openApi = once(() => openApiDocument(app, `Gridbourse ${definition.name}`));
  fastify.get(SERVICE_OPENAPI_PATH, () => openApi());
  fastify.get(SERVICE_CARD_PATH, (): ServiceCard => ({
    name: definition.name,
    publicPaths: [...definition.publicPaths],
    grpcPackages,
    grpcPort: withGrpc ? config.grpcPort : null,
  }));

  const dataSource = app.get(DataSource);
  app.connectMicroservice(
    {
      strategy: new BusStrategy({
        bus: parts.bus,
        dataSource,
        group: definition.name,
        catalogue: publishedLanguage,
        heard: readModelsOf(definition, app.get(EventStore)).flatMap(({ hears }) => hears ?? []),
        ...(parts.clock && { clock: parts.clock }),
        logger,
      }),
    },
    { inheritAppConfig: false },
  );
  const grpcTarget = withGrpc ? `${config.host}:${config.grpcPort}` : undefined;
  if (grpcTarget !== undefined) connectGrpc(app, definition, grpcTarget);

  const relay = new OutboxRelay({
    dataSource,
    catalogue: definition.catalogue,
    bus: parts.bus,
    recent: app.get<EventStore>(EventStore).recent,
    context: definition.name,
    logger,
  });
  app.get(Outbox).attach(relay);

  // State first (init hooks load it), then events and calls, then what others hear from us.
  try {
    await app.init();
    await fastify.ready();
    await app.startAllMicroservices();
    relay.start();
    if (config.httpPort > 0) await app.listen(config.httpPort, config.host);
  } catch (error) {
    // What had started ends again; why the rest did not is what the caller must hear.
    await relay.stop();
    await app
      .close()
      .catch((failure: unknown) => logger.warn({ err: failure }, 'half started, not closed cleanly'));
    throw error;
  }
  logger.info({ httpPort: config.httpPort, grpcTarget }, 'service started');

  return {
    name: definition.name,
    app,
    publicPaths: definition.publicPaths,
    grpcPackages,
    grpcTarget,
    openApi,
    handle: (request, response) => fastify.routing(request, response),
    ready: () => app.get(Readiness).report(),
    close: async () => {
      await relay.stop();
      await app.close();
      logger.info({}, 'service stopped');
    },
  };
};
