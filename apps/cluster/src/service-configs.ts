import type { ServiceName } from '@gridbourse/api';
import type { Deployment } from '@gridbourse/chain';
import { localServiceSettings, SERVICE_NAMES } from '@gridbourse/local-platform';
import type { SealingKey } from '@gridbourse/sealing';

/** Where one service listens. `grpcPort` is 0 for a service without gRPC. */
export type Listener = {
  readonly host: string;
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly origin: string;
};

/** Where everything is that joins the services, whether on this machine or in containers. */
export type Site = {
  readonly publicOrigin: string;
  /** The public origin as a service reaches it. */
  readonly gatewayUrl: string;
  readonly rpcUrl: string;
  /** The chain as users reach it. */
  readonly publicRpcUrl: string;
  readonly deployment: Deployment;
  readonly sealingKey: SealingKey;
  readonly kafkaBrokers: readonly string[];
  readonly redisUrl: string;
  /** Where the gateway's requests come from. */
  readonly trustedProxies: readonly string[];
  readonly logLevel: string;
  readonly databaseUrl: (service: ServiceName) => string;
  readonly listener: (service: ServiceName) => Listener;
};

const HAS_GRPC: ReadonlySet<ServiceName> = new Set(['registry', 'matchmaker']);
export const hasGrpc = (service: ServiceName): boolean => HAS_GRPC.has(service);

/** The configuration file of each service. */
export const serviceConfigs = (site: Site): Record<ServiceName, object> => {
  const each = localServiceSettings(site);
  const configOf = (service: ServiceName): object => {
    const { host, httpPort, grpcPort } = site.listener(service);
    return {
      ...each[service],
      ...('publicRpcUrl' in each[service] ? { publicRpcUrl: site.publicRpcUrl } : {}),
      jwksUrl: `${site.gatewayUrl}/.well-known/jwks.json`,
      databaseUrl: site.databaseUrl(service),
      bus: { adapter: 'kafka', kafka: { brokers: site.kafkaBrokers } },
      keyValue: { adapter: 'redis', url: site.redisUrl },
      trustedProxies: site.trustedProxies,
      host,
      httpPort,
      grpcPort,
      logLevel: site.logLevel,
    };
  };
  return Object.fromEntries(SERVICE_NAMES.map((name) => [name, configOf(name)])) as Record<
    ServiceName,
    object
  >;
};

/** The configuration file of the gateway. */
export const gatewayConfigOf = (
  site: Site,
  at: { host: string; port: number; grpcPort: number; links: Record<string, string> },
): object => ({
  ...at,
  services: Object.fromEntries(SERVICE_NAMES.map((name) => [name, site.listener(name).origin])),
  logLevel: site.logLevel,
});
