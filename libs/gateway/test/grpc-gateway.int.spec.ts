// Real: the gateway, two gRPC servers behind it, the sockets. The servers answer for services that are not started here.
import { freePort } from '@gridbourse/infra';
import { silentLogger } from '@gridbourse/observability';
import { GRPC_LOADER, PROTO_ROOT } from '@gridbourse/proto';
import {
  type ClientDuplexStream,
  type ClientReadableStream,
  credentials,
  type GrpcObject,
  loadPackageDefinition,
  Metadata,
  type sendUnaryData,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceClientConstructor,
  type ServiceError,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { eventually } from '@gridbourse/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { protoPath as healthProto } from 'grpc-health-check';
import { createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import { createRequire } from 'node:module';
import {
  type AddressInfo,
  connect as connectTo,
  createServer as createWire,
  type Server as NetServer,
  type Socket,
} from 'node:net';
import { dirname, join } from 'node:path';
import type { GatewayService } from '../src/gateway-service.ts';
import { GrpcGateway } from '../src/grpc-gateway.ts';

const reflectionProto = join(
  dirname(createRequire(import.meta.url).resolve('@grpc/reflection/package.json')),
  'build/proto/grpc/reflection/v1/reflection.proto',
);
const clientOf = (proto: string, name: string, port: number) => {
  const tree = loadPackageDefinition(
    loadSync(proto, { ...GRPC_LOADER, includeDirs: [PROTO_ROOT, dirname(proto)] }),
  );
  const found = name.split('.').reduce<GrpcObject>((node, part) => node[part] as GrpcObject, tree);
  return new (found as unknown as ServiceClientConstructor)(
    `127.0.0.1:${port}`,
    credentials.createInsecure(),
  );
};

const orderService = () => {
  const proto = join(PROTO_ROOT, 'gridbourse/matchmaker/v1/orders.proto');
  const tree = loadPackageDefinition(loadSync(proto, { ...GRPC_LOADER, includeDirs: [PROTO_ROOT] }));
  const found = 'gridbourse.matchmaker.v1.OrderService'
    .split('.')
    .reduce<GrpcObject>((node, part) => node[part] as GrpcObject, tree);
  return (found as unknown as ServiceClientConstructor).service;
};

/** Of the service behind: what it is told, and that it is told when a caller goes away. */
const told = { metadata: '', cancelled: 0 };
const orders: UntypedServiceImplementation = {
  getOrder: (call: ServerUnaryCall<{ orderId: string }, object>, answer: sendUnaryData<object>) => {
    told.metadata = String(call.metadata.get('authorization')[0]);
    if (call.request.orderId === 'none') {
      const trailers = new Metadata();
      trailers.set('x-code', 'order_not_found');
      return answer({ code: status.NOT_FOUND, details: 'there is no order none', metadata: trailers });
    }
    answer(null, { order: { orderId: call.request.orderId } });
  },
  watchOrder: (call: ServerWritableStream<{ orderId: string }, object>) => {
    call.on('cancelled', () => (told.cancelled += 1));
    call.write({ order: { orderId: 'first' } });
    call.write({ order: { orderId: 'second' } });
    if (call.request.orderId === 'short') call.end();
  },
};

const PACKAGES = ['gridbourse.registry.v1', 'gridbourse.matchmaker.v1'];

describe('the public gRPC port', () => {
  const servers: Server[] = [];
  const ready = { registry: true, matchmaker: true };
  let port: number;
  let gateway: GrpcGateway;

  beforeAll(async () => {
    const services: GatewayService[] = [];
    for (const [index, name] of (['registry', 'matchmaker'] as const).entries()) {
      const server = new Server();
      if (name === 'matchmaker') server.addService(orderService(), orders);
      const bound = await new Promise<number>((resolve, reject) =>
        server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, at) =>
          error ? reject(error) : resolve(at),
        ),
      );
      servers.push(server);
      services.push({
        name,
        publicPaths: [],
        grpcPackages: [PACKAGES[index]!],
        grpcTarget: `127.0.0.1:${bound}`,
        openApi: () => {
          throw new Error('not asked for here');
        },
        handle: () => undefined,
        ready: () => Promise.resolve({ ready: ready[name], checks: {} }),
      });
    }
    port = await freePort();
    gateway = new GrpcGateway(services, silentLogger);
    await gateway.listen(port);
  });
  afterAll(async () => {
    await gateway.close();
    for (const server of servers) server.forceShutdown();
  });

  const ask = (request: object): Promise<Record<string, unknown>> => {
    const client = clientOf(reflectionProto, 'grpc.reflection.v1.ServerReflection', port);
    return new Promise<Record<string, unknown>>((resolve, reject) => {
      const stream = client['ServerReflectionInfo']!() as ReturnType<typeof client.makeBidiStreamRequest>;
      stream.on('data', (answer: Record<string, unknown>) => {
        stream.end();
        resolve(answer);
      });
      stream.on('error', reject);
      stream.write(request);
    }).finally(() => client.close());
  };
  const check = (service: string): Promise<unknown> => {
    const client = clientOf(healthProto, 'grpc.health.v1.Health', port);
    return new Promise((resolve) =>
      client['Check']!({ service }, (error: ServiceError | null, answer?: { status: string }) =>
        resolve(error?.code ?? answer!.status),
      ),
    ).finally(() => client.close());
  };

  describe('takes a call to the service that owns its package', () => {
    const client = () =>
      clientOf(
        join(PROTO_ROOT, 'gridbourse/matchmaker/v1/orders.proto'),
        'gridbourse.matchmaker.v1.OrderService',
        port,
      );
    const getOrder = (orderId: string): Promise<{ error: ServiceError | null; answer: unknown }> => {
      const orders = client();
      const metadata = new Metadata();
      metadata.set('authorization', 'Bearer t');
      return new Promise<{ error: ServiceError | null; answer: unknown }>((resolve) =>
        orders['GetOrder']!({ orderId }, metadata, (error: ServiceError | null, answer: unknown) =>
          resolve({ error, answer }),
        ),
      ).finally(() => orders.close());
    };

    it('with its metadata, and the answer or the error with its trailers back', async () => {
      const { answer } = await getOrder('ord_1');
      expect(answer).toMatchObject({ order: { orderId: 'ord_1' } });
      expect(told.metadata).toBe('Bearer t');
      const { error } = await getOrder('none');
      expect(error).toMatchObject({ code: status.NOT_FOUND, details: 'there is no order none' });
      expect(error!.metadata.get('x-code')).toEqual(['order_not_found']);
    });

    it('streams as they come, to their end, and ends them at the service when the caller goes', async () => {
      const orders = client();
      const watch = (orderId: string) =>
        orders['WatchOrder']!({ orderId }) as ClientReadableStream<{ order: { orderId: string } }>;
      const seen: string[] = [];
      for await (const { order } of watch('short') as AsyncIterable<{ order: { orderId: string } }>)
        seen.push(order.orderId);
      expect(seen).toEqual(['first', 'second']);
      const before = told.cancelled;
      const endless = watch('endless');
      endless.on('error', () => undefined);
      await new Promise((resolve) => endless.once('data', resolve));
      expect(told.cancelled).toBe(before);
      endless.cancel();
      await eventually(() => expect(told.cancelled).toBe(before + 1));
      orders.close();
    });

    it('or says that nobody offers it, or that who does is away', async () => {
      const unknown = clientOf(healthProto, 'grpc.health.v1.Health', port);
      const refused = await new Promise<ServiceError | null>((resolve) =>
        unknown.makeUnaryRequest(
          '/nobody.v1.Nothing/Do',
          () => Buffer.alloc(0),
          (bytes) => bytes,
          {},
          (error) => resolve(error),
        ),
      ).finally(() => unknown.close());
      expect(refused).toMatchObject({ code: status.UNIMPLEMENTED });
      servers[1]!.forceShutdown();
      const { error } = await getOrder('ord_1');
      expect(error).toMatchObject({ code: status.UNAVAILABLE });
    });
  });

  it('tells by reflection of the packages of all services', async () => {
    const { listServicesResponse } = await ask({ listServices: '' });
    const names = (listServicesResponse as { service: { name: string }[] }).service.map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining([
        'gridbourse.registry.v1.AgentService',
        'gridbourse.matchmaker.v1.OrderService',
        'grpc.health.v1.Health',
      ]),
    );
  });

  it.each(['gridbourse.registry.v1.AgentService', 'gridbourse.matchmaker.v1.OrderService'])(
    'gives the definition of %s',
    async (fileContainingSymbol) => {
      expect(await ask({ fileContainingSymbol })).toMatchObject({
        fileDescriptorResponse: { fileDescriptorProto: expect.arrayContaining([expect.anything()]) },
      });
    },
  );

  it('tells the health of each service, and of all together', async () => {
    expect(await check('')).toBe('SERVING');
    ready.matchmaker = false;
    await eventually(async () =>
      expect([
        await check(''),
        await check('gridbourse.matchmaker.v1.OrderService'),
        await check('gridbourse.registry.v1.AgentService'),
      ]).toEqual(['NOT_SERVING', 'NOT_SERVING', 'SERVING']),
    );
    ready.matchmaker = true;
    await eventually(async () => expect(await check('')).toBe('SERVING'));
    expect(await check('nobody.v1.Nothing')).toBe(status.NOT_FOUND);
  });
});

describe('a call in progress', () => {
  type Peer = { sockets: Set<Socket>; target: string; close: () => void };
  let peer: Peer;
  let gateway: GrpcGateway;
  let port: number;

  const listening = async (server: Http2Server | NetServer): Promise<number> => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  };

  /** A service that welcomes each caller and then only listens, behind a wire that can be cut. */
  const startPeer = async (): Promise<Peer> => {
    const server = createServer();
    server.on('sessionError', () => undefined);
    server.on('stream', (stream: ServerHttp2Stream) => {
      stream.on('error', () => undefined);
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.write(Buffer.from([0, 0, 0, 0, 5, 0x0a, 0x03, 0x08, 0xe8, 0x07])); // welcome {heartbeatIntervalMs: 1000}
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.resume().on('end', () => stream.end());
    });
    const servicePort = await listening(server);
    const sockets = new Set<Socket>();
    const wire = createWire((near) => {
      const far = connectTo(servicePort, '127.0.0.1');
      sockets.add(near);
      for (const socket of [near, far]) socket.on('error', () => undefined);
      near.on('close', () => far.destroy());
      near.pipe(far).pipe(near);
    });
    const close = (): void => {
      for (const socket of sockets) socket.destroy();
      wire.close();
      server.close();
    };
    return { sockets, close, target: `127.0.0.1:${await listening(wire)}` };
  };
  const service = (target: string): GatewayService => ({
    name: 'registry',
    publicPaths: [],
    grpcPackages: [PACKAGES[0]!],
    grpcTarget: target,
    openApi: () => {
      throw new Error('not asked for here');
    },
    handle: () => undefined,
    ready: () => Promise.resolve({ ready: true, checks: {} }),
  });

  beforeEach(async () => {
    peer = await startPeer();
    port = await freePort();
    gateway = new GrpcGateway([service(peer.target)], silentLogger, 200);
    await gateway.listen(port);
  });
  afterEach(async () => {
    await gateway.close();
    peer.close();
  });

  /** Waits for the welcome, does `then`, and resolves with the status that ended the call. */
  const connectAnd = (then: (call: ClientDuplexStream<object, object>) => void): Promise<unknown> => {
    const client = clientOf(
      join(PROTO_ROOT, 'gridbourse/registry/v1/agent.proto'),
      'gridbourse.registry.v1.AgentService',
      port,
    );
    const call = client['connect']!() as unknown as ClientDuplexStream<object, object>;
    return new Promise((resolve) => {
      call.on('data', () => then(call));
      call.on('error', () => undefined);
      call.on('status', ({ code }: { code: number }) => resolve(code));
    }).finally(() => client.close());
  };
  const eachSocket = (act: (socket: Socket) => void): void => peer.sockets.forEach(act);

  it('ends with the last word of the service', async () => {
    expect(await connectAnd((call) => call.end())).toBe(status.OK);
  });

  it.each<[string, () => void]>([
    [
      'closes its connection, as the system does for a process that was killed',
      () => eachSocket((s) => s.destroy()),
    ],
    ['resets its connection', () => eachSocket((s) => s.resetAndDestroy())],
    ['falls silent with its connection open', () => eachSocket((s) => s.unpipe().pause())],
  ])('is unavailable to its caller when the service %s', async (_how, fail) => {
    expect(await connectAnd(fail)).toBe(status.UNAVAILABLE);
  });
});
