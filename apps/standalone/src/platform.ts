import { type RunningService, startService } from '@gridbourse/api';
import { billingService } from '@gridbourse/billing';
import type { Deployment } from '@gridbourse/chain';
import { chainIndexerService } from '@gridbourse/chain-indexer';
import { EmbeddedBus } from '@gridbourse/event-bus';
import { matchmakerService } from '@gridbourse/matchmaker';
import type { Logger } from '@gridbourse/observability';
import { orchestratorService } from '@gridbourse/orchestrator';
import { registryService } from '@gridbourse/registry';
import { generateSealingKey, type SealingKey } from '@gridbourse/sealing';
import { operatorKeys } from './contracts.ts';
import type { DataDir } from './data-dir.ts';
import { freePort } from './process-control.ts';
import type { Settings } from './settings.ts';

export const SERVICE_NAMES = ['registry', 'matchmaker', 'orchestrator', 'billing', 'chain-indexer'] as const;

export const databaseOf = (service: string): string => `gridbourse_${service.replace(/-/g, '_')}`;
export const BUS_DATABASE = 'gridbourse_bus';

export type Platform = { services: RunningService[]; close(): Promise<void> };

/** The orchestrator's key pair: made once, kept in the data folder, readable by its owner only. */
const sealingKey = async (dir: DataDir): Promise<SealingKey> => {
  const known = dir.read<SealingKey>('sealing-key.json');
  if (known) return known;
  const made = await generateSealingKey();
  dir.write('sealing-key.json', made);
  return made;
};

/** The five services in this process, each on a database of its own, joined by nothing but the bus. */
export const startPlatform = async (options: {
  dir: DataDir;
  settings: Settings;
  logger: Logger;
  databaseUrl: (database: string) => string;
  chainUrl: string;
  deployment: Deployment;
}): Promise<Platform> => {
  const { dir, settings, databaseUrl, deployment } = options;
  const key = await sealingKey(dir);
  const publicOrigin = `http://127.0.0.1:${settings.port}`;
  const base = async (service: (typeof SERVICE_NAMES)[number], withGrpc: boolean) => ({
    databaseUrl: databaseUrl(databaseOf(service)),
    busUrl: databaseUrl(BUS_DATABASE),
    grpcPort: withGrpc ? await freePort() : 0,
    jwksUrl: `${publicOrigin}/.well-known/jwks.json`,
    publicOrigin,
    logLevel: settings.logLevel,
  });
  const bus = new EmbeddedBus({ databaseUrl: databaseUrl(BUS_DATABASE), logger: options.logger });
  await bus.start();

  const started = await Promise.allSettled([
    startService(
      registryService,
      {
        ...(await base('registry', true)),
        chainId: deployment.chainId,
        orchestratorSealingPublicKey: { keyId: key.keyId, publicKey: key.publicKey },
        // A small market on one machine: losing a provider is noticed in seconds.
        heartbeatIntervalMs: 1_000,
        offlineGraceMs: 6_000,
      },
      { bus },
    ),
    startService(
      matchmakerService,
      {
        ...(await base('matchmaker', true)),
        orchestratorSealingPublicKey: { keyId: key.keyId, publicKey: key.publicKey },
      },
      { bus },
    ),
    startService(
      orchestratorService,
      {
        ...(await base('orchestrator', false)),
        sealingKey: key,
        meterWindowSeconds: 5,
        evidenceIntervalMs: 2_000,
        unknownAfterMs: 5_000,
        // Clusters next door: nothing is far away, and a start that does not come in time does not come.
        startDeadlinesMs: {
          image_pull: 10_000,
          unschedulable: 10_000,
          crash_loop: 20_000,
          quota: 10_000,
          no_gpu: 10_000,
        },
      },
      { bus },
    ),
    startService(
      billingService,
      {
        ...(await base('billing', false)),
        rpcUrl: options.chainUrl,
        publicRpcUrl: options.chainUrl,
        deployment,
        operatorKeys: operatorKeys(),
        settleEveryMs: 2_000,
        reconcileEveryMs: 2_000,
      },
      { bus },
    ),
    startService(
      chainIndexerService,
      { ...(await base('chain-indexer', false)), rpcUrl: options.chainUrl, deployment, pollMs: 50 },
      { bus },
    ),
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
