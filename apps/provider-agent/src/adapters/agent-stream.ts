import {
  type ClientDuplexStream,
  credentials,
  type GrpcObject,
  loadPackageDefinition,
  type ServiceClientConstructor,
} from '@grpc/grpc-js';
import { load } from '@grpc/proto-loader';
import { DomainError } from '@gridbourse/kernel';
import type { registryV1 } from '@gridbourse/proto';
import { GRPC_LOADER } from '@gridbourse/proto/loader';

const DEFINITION = 'gridbourse/registry/v1/agent.proto';
const OPTIONS = {
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
};
const CONNECT_MS = 10_000;

type Duplex = ClientDuplexStream<registryV1.ConnectRequest, registryV1.ConnectResponse>;

let serviceClient: Promise<ServiceClientConstructor> | undefined;

const loadService = async (): Promise<ServiceClientConstructor> => {
  const root = loadPackageDefinition(
    await load(DEFINITION, { ...GRPC_LOADER, includeDirs: [...GRPC_LOADER.includeDirs] }),
  );
  const v1 = ((root['gridbourse'] as GrpcObject)['registry'] as GrpcObject)['v1'] as GrpcObject;
  return v1['AgentService'] as ServiceClientConstructor;
};

export type StreamHandlers = {
  onMessage: (message: registryV1.ConnectResponse) => void;
};

/** One open `AgentService.Connect` call. */
export type AgentStream = {
  send(message: registryV1.ConnectRequest): void;
  /** Settles when the stream is over: with null when the platform ended it in order, else with the error. */
  readonly ended: Promise<Error | null>;
  /** @param reason what `ended` settles with; none when it is meant to end */
  close(reason?: Error): void;
};

/** @throws DomainError `platform_unreachable` when no connection comes about within 10 s */
export const openAgentStream = async (
  target: string,
  plaintext: boolean,
  handlers: StreamHandlers,
): Promise<AgentStream> => {
  serviceClient ??= loadService();
  const Client = await serviceClient;
  const client = new Client(
    target,
    plaintext ? credentials.createInsecure() : credentials.createSsl(),
    OPTIONS,
  );
  await new Promise<void>((resolve, reject) => {
    client.waitForReady(new Date(performance.timeOrigin + performance.now() + CONNECT_MS), (error) => {
      if (!error) return resolve();
      client.close();
      reject(
        new DomainError('unavailable', 'platform_unreachable', `no gRPC connection to ${target}`, {
          cause: error,
        }),
      );
    });
  });
  const call = (client as unknown as { connect(): Duplex }).connect();
  let end: (error: Error | null) => void;
  const ended = new Promise<Error | null>((resolve) => (end = resolve));
  call.on('data', handlers.onMessage);
  call.on('error', (error) => end(error));
  call.on('end', () => end(null));
  void ended.then(() => client.close());
  return {
    send: (message) => {
      if (call.writable) call.write(message);
    },
    ended,
    close: (reason) => {
      call.end();
      call.cancel();
      end(reason ?? null);
    },
  };
};
