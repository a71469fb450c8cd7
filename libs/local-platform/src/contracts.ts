import { type Deployment, deployContracts } from '@gridbourse/chain';
import { type DataDir, devKey, rpcCall, StartError } from '@gridbourse/infra';

const FILE = 'deployment.json';
const DEPLOYER = 0;
/** The relayer's keys: several, so that transactions of different leases do not queue behind each other. */
const OPERATORS = [1, 2, 3];

type Known = { deployment: Deployment; deployBlockHash: string };

export const operatorKeys = (): string[] => OPERATORS.map((index) => devKey(index).privateKey);

/** Deploys the contracts on first start; later makes sure that this is still the chain they were deployed on. */
export const ensureContracts = async (dir: DataDir, chain: { readonly url: string }): Promise<Deployment> => {
  const known = dir.read<Known>(FILE);
  if (known) {
    const block = await rpcCall<{ hash: string } | null>(chain.url, 'eth_getBlockByNumber', [
      `0x${known.deployment.deployBlock.toString(16)}`,
      false,
    ]);
    if (block?.hash !== known.deployBlockHash) {
      throw new StartError(
        `The chain at ${chain.url} is not the one that the database in ${dir.path} knows.`,
        'Restore the chain files of that data folder, or erase it with npm run reset and start anew.',
      );
    }
    return known.deployment;
  }
  const deployment = await deployContracts({
    rpcUrl: chain.url,
    deployerKey: devKey(DEPLOYER).privateKey,
    roles: { operator: OPERATORS.map((index) => devKey(index).address), admin: devKey(DEPLOYER).address },
  });
  const block = await rpcCall<{ hash: string }>(chain.url, 'eth_getBlockByNumber', [
    `0x${deployment.deployBlock.toString(16)}`,
    false,
  ]);
  dir.write(FILE, { deployment, deployBlockHash: block.hash } satisfies Known);
  return deployment;
};
