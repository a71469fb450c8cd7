import type { ServiceName } from '@gridbourse/api';
import type { Deployment } from '@gridbourse/chain';
import type { SealingKey } from '@gridbourse/sealing';
import { operatorKeys } from './local-roles.ts';
import { localOperatorWallet } from './local-accounts.ts';

/**
 * The part of each service's configuration that is the same in every platform on one machine: what joins it to the
 * others, and what may be quicker because nothing is far away. Databases, bus and ports are the caller's to add.
 */
export const localServiceSettings = (platform: {
  publicOrigin: string;
  rpcUrl: string;
  deployment: Deployment;
  sealingKey: SealingKey;
}) => {
  const { publicOrigin, rpcUrl, deployment, sealingKey } = platform;
  const { keyId, publicKey } = sealingKey;
  const everyone = { publicOrigin, jwksUrl: `${publicOrigin}/.well-known/jwks.json` };
  const orchestratorSealingPublicKey = { keyId, publicKey };
  return {
    registry: {
      ...everyone,
      chainId: deployment.chainId,
      operatorWallets: [localOperatorWallet()],
      orchestratorSealingPublicKey,
      // A small market on one machine: losing a provider is noticed in seconds.
      heartbeatIntervalMs: 1_000,
      offlineGraceMs: 6_000,
    },
    matchmaker: { ...everyone, orchestratorSealingPublicKey },
    orchestrator: {
      ...everyone,
      sealingKey,
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
    billing: {
      ...everyone,
      rpcUrl,
      publicRpcUrl: rpcUrl,
      deployment,
      operatorKeys: operatorKeys(),
      settleEveryMs: 2_000,
      reconcileEveryMs: 2_000,
    },
    'chain-indexer': { ...everyone, rpcUrl, deployment, pollMs: 50 },
  } satisfies Record<ServiceName, object>;
};
