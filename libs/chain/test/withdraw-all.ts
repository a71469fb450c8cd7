import { Wallet } from 'ethers';
import { computeMarket } from '../src/contracts.ts';
import { chainProvider } from '../src/chain-provider.ts';
import { type Deployment } from '../src/deployment.ts';
import { TENANT } from './market.ts';

/** The tenant takes out all that is free. */
export const withdrawAll = async (rpcUrl: string, deployment: Deployment): Promise<void> => {
  const provider = chainProvider(rpcUrl, deployment.chainId);
  try {
    const market = computeMarket(deployment.contracts.ComputeMarket, new Wallet(TENANT.privateKey, provider));
    const { free } = await market.tenantOf(TENANT.address);
    await (await market.withdraw(free)).wait();
  } finally {
    provider.destroy();
  }
};
