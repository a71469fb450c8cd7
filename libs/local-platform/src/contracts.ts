import { type Deployment, deployContracts, deployProfile, grantMissingRoles } from '@gridbourse/chain';
import { type DataDir, rpcCall, StartError } from '@gridbourse/infra';
import { localDeployerKey, localRoles } from './local-roles.ts';

const FILE = 'deployment.json';

type Known = {
  deployment: Deployment;
  deployBlockHash: string;
  /** Every role of today has been granted. Absent in folders of before there were any but the operator's. */
  rolesGranted?: true;
};

/**
 * Deploys the contracts on first start; later makes sure that this is still the chain they were deployed on. What an
 * earlier release deployed stays, as it holds the data folder's money, and gets the roles that have come since.
 */
export const ensureContracts = async (dir: DataDir, chain: { readonly url: string }): Promise<Deployment> => {
  const known = dir.read<Known>(FILE);
  if (known) {
    await demandSameChain(dir, chain.url, known);
    if (known.rolesGranted) return known.deployment;
    await grantMissingRoles({
      rpcUrl: chain.url,
      adminKey: localDeployerKey(),
      deployment: known.deployment,
      roles: localRoles(),
    });
    dir.write(FILE, { ...known, rolesGranted: true } satisfies Known);
    return known.deployment;
  }
  const { params } = deployProfile('local');
  const deployment = await deployContracts({
    rpcUrl: chain.url,
    deployerKey: localDeployerKey(),
    roles: localRoles(),
    params,
  });
  const block = await blockOf(chain.url, deployment);
  dir.write(FILE, { deployment, deployBlockHash: block!.hash, rolesGranted: true } satisfies Known);
  return deployment;
};

const blockOf = (url: string, { deployBlock }: Deployment): Promise<{ hash: string } | null> =>
  rpcCall<{ hash: string } | null>(url, 'eth_getBlockByNumber', [`0x${deployBlock.toString(16)}`, false]);

const demandSameChain = async (dir: DataDir, url: string, known: Known): Promise<void> => {
  const block = await blockOf(url, known.deployment);
  if (block?.hash === known.deployBlockHash) return;
  throw new StartError(
    `The chain at ${url} is not the one that the database in ${dir.path} knows.`,
    'Restore the chain files of that data folder, or erase it with npm run reset and start anew.',
  );
};
