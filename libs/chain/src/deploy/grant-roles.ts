import { Wallet } from 'ethers';
import { chainProvider } from '../chain-provider.ts';
import { encodeCall } from '../contracts.ts';
import type { Deployment } from '../deployment.ts';
import { HttpRpc } from '../json-rpc.ts';
import { haveRoles } from './chain-state.ts';
import { type DeployRoles, wantedGrants } from './roles.ts';

/**
 * Grants what is missing on contracts that an earlier release deployed, and changes nothing else. Contracts that the
 * release did not have yet are passed over.
 * @param adminKey of an account that may grant
 */
export const grantMissingRoles = async (options: {
  rpcUrl: string;
  adminKey: string;
  deployment: Deployment;
  roles: DeployRoles;
}): Promise<void> => {
  const { contracts, chainId } = options.deployment;
  const admin = new Wallet(options.adminKey).address;
  const wanted = wantedGrants(options.roles, admin).flatMap((grant) => {
    const address = contracts[grant.contract];
    return address === undefined ? [] : [{ ...grant, address }];
  });
  const have = await haveRoles(new HttpRpc(options.rpcUrl), wanted);
  const missing = wanted.filter((_, index) => !have[index]);
  if (missing.length === 0) return;
  const provider = chainProvider(options.rpcUrl, chainId);
  try {
    const wallet = new Wallet(options.adminKey, provider);
    for (const { contract, role, account, address } of missing) {
      const data = encodeCall(contract, 'grantRole', [role, account]);
      await (await wallet.sendTransaction({ to: address, data })).wait();
    }
  } finally {
    provider.destroy();
  }
};
