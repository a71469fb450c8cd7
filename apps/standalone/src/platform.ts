import { type RunningService, type ServiceName, startService } from '@gridbourse/api';
import { billingService } from '@gridbourse/billing';
import { chainIndexerService } from '@gridbourse/chain-indexer';
import { EmbeddedBus } from '@gridbourse/event-bus';
import { freePort } from '@gridbourse/infra';
import {
  databaseOf,
  ensureSealingKey,
  type Ground,
  localServiceSettings,
  originOf,
  type Run,
} from '@gridbourse/local-platform';
import { matchmakerService } from '@gridbourse/matchmaker';
import { orchestratorService } from '@gridbourse/orchestrator';
import { registryService } from '@gridbourse/registry';

export const BUS_DATABASE = 'gridbourse_bus';

export type Platform = { services: RunningService[]; close(): Promise<void> };

/** The five services in this process, each on a database of its own, joined by nothing but the bus. */
export const startPlatform = async (run: Run, ground: Ground): Promise<Platform> => {
  const { settings, logger } = run;
  const databaseUrl = (database: string): string => ground.postgres.url(database);
  const each = localServiceSettings({
    publicOrigin: originOf(settings),
    rpcUrl: ground.chain.url,
    deployment: ground.deployment,
    sealingKey: await ensureSealingKey(run.dir),
  });
  const config = async (service: ServiceName, grpc: 'with gRPC' | 'no gRPC') => ({
    ...each[service],
    databaseUrl: databaseUrl(databaseOf(service)),
    bus: { adapter: 'embedded', url: databaseUrl(BUS_DATABASE) },
    grpcPort: grpc === 'with gRPC' ? await freePort() : 0,
    logLevel: settings.logLevel,
  });
  const bus = new EmbeddedBus({ databaseUrl: databaseUrl(BUS_DATABASE), logger });
  await bus.start();

  const started = await Promise.allSettled([
    startService(registryService, await config('registry', 'with gRPC'), { bus }),
    startService(matchmakerService, await config('matchmaker', 'with gRPC'), { bus }),
    startService(orchestratorService, await config('orchestrator', 'no gRPC'), { bus }),
    startService(billingService, await config('billing', 'no gRPC'), { bus }),
    startService(chainIndexerService, await config('chain-indexer', 'no gRPC'), { bus }),
  ]);
  const services = started.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const close = async (): Promise<void> => {
    await Promise.allSettled(services.map((service) => service.close()));
    await bus.close();
  };
  const failed = started.find((result) => result.status === 'rejected');
  if (failed) {
    await close();
    throw failed.reason;
  }
  return { services, close };
};
