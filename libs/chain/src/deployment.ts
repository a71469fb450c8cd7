import { DomainError } from '@gridbourse/kernel';
import type { Rpc } from './json-rpc.ts';

/** Where the contracts are. Addresses in lower case. */
export type Deployment = {
  readonly chainId: number;
  /** The block of the first event of any of them. */
  readonly deployBlock: number;
  readonly contracts: {
    readonly ComputeMarket: string;
    readonly ProviderRegistry: string;
    /** The token of all amounts: the test's own on local chains, USDC itself elsewhere. */
    readonly TestUSDC: string;
    /** Absent in records of deployments from before there were any. */
    readonly LivenessRewards?: string;
    /** The only account that may upgrade the others. Absent in records from before there were upgrades. */
    readonly UpgradeTimelock?: string;
  };
};

/**
 * Whether a recorded deployment is the one on this chain.
 * @throws DomainError `wrong_chain`, `contracts_missing`, `rpc_unavailable`
 */
export const verifyDeployment = async (rpc: Rpc, deployment: Deployment): Promise<void> => {
  const chainId = Number(await rpc.send('eth_chainId', []));
  if (chainId !== deployment.chainId) {
    throw new DomainError(
      'conflict',
      'wrong_chain',
      `expected chain ${deployment.chainId}, found ${chainId}`,
    );
  }
  for (const [name, address] of Object.entries(deployment.contracts)) {
    if ((await rpc.send('eth_getCode', [address, 'latest'])) !== '0x') continue;
    throw new DomainError(
      'conflict',
      'contracts_missing',
      `there is no ${name} at ${address} on chain ${chainId}`,
    );
  }
};
