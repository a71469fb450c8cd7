import { DomainError } from '@gridbourse/kernel';
import { interfaces } from '../contracts.ts';
import type { Deployment } from '../deployment.ts';
import { quantity, type Rpc, RpcError, unwrap } from '../json-rpc.ts';
import { ADMIN_ROLE } from './roles.ts';

/** Any contract with roles will do: they all have OpenZeppelin's. */
const withRoles = interfaces.ComputeMarket;
const roleGranted = withRoles.getEvent('RoleGranted')!.topicHash;

export const codeAt = async (rpc: Rpc, address: string, block = 'latest'): Promise<string> =>
  (await rpc.send('eth_getCode', [address, block])) as string;

export type RoleHolder = { readonly role: string; /** Lower case. */ readonly account: string };

/** Of each holder, whether it has the role now. A contract that is not there gives no roles. */
export const haveRoles = async (
  rpc: Rpc,
  holders: readonly (RoleHolder & { readonly address: string })[],
): Promise<boolean[]> => {
  const calls = holders.map(({ address, role, account }) => {
    const data = withRoles.encodeFunctionData('hasRole', [role, account]);
    return ['eth_call', [{ to: address, data }, 'latest']] as const;
  });
  // A contract that is none answers nothing.
  return (await rpc.batch(calls)).map(
    (answer) => unwrap(answer) !== '0x' && BigInt(unwrap(answer) as string) === 1n,
  );
};

type Log = { readonly topics: readonly string[]; readonly blockNumber: string };

/** Everybody who has a role on a contract, from its events, however many have come and gone. */
export const roleHolders = async (rpc: Rpc, address: string, fromBlock: number): Promise<RoleHolder[]> => {
  const latest = Number(await rpc.send('eth_blockNumber', []));
  const logs = await logsBetween(rpc, { address, topics: [roleGranted] }, fromBlock, latest);
  const ever = new Map<string, RoleHolder>();
  for (const { topics } of logs) {
    const holder = { role: topics[1]!, account: `0x${topics[2]!.slice(-40)}`.toLowerCase() };
    ever.set(`${holder.role} ${holder.account}`, holder);
  }
  const holders = [...ever.values()];
  const have = await haveRoles(
    rpc,
    holders.map((holder) => ({ ...holder, address })),
  );
  return holders.filter((_, index) => have[index]);
};

/** Halves a range that the node finds too long. */
const logsBetween = async (rpc: Rpc, filter: object, from: number, to: number): Promise<Log[]> => {
  try {
    const range = { fromBlock: quantity(from), toBlock: quantity(to) };
    return (await rpc.send('eth_getLogs', [{ ...filter, ...range }])) as Log[];
  } catch (error) {
    if (!(error instanceof RpcError) || to <= from) throw error;
    const middle = Math.floor((from + to) / 2);
    return [
      ...(await logsBetween(rpc, filter, from, middle)),
      ...(await logsBetween(rpc, filter, middle + 1, to)),
    ];
  }
};

/**
 * The block of the first event of the contracts: whatever makes one of them grants a role. A node that does not search the whole
 * chain at once is asked when the code came to be there.
 * @throws DomainError `deployment_failed`, `no_history`
 */
export const firstBlockOf = async (
  rpc: Rpc,
  contracts: Required<Deployment['contracts']>,
): Promise<number> => {
  const address = [contracts.ComputeMarket, contracts.ProviderRegistry, contracts.UpgradeTimelock];
  const latest = Number(await rpc.send('eth_blockNumber', []));
  const topics = [roleGranted, ADMIN_ROLE];
  let logs: Log[];
  try {
    logs = (await rpc.send('eth_getLogs', [
      { address, topics, fromBlock: '0x0', toBlock: quantity(latest) },
    ])) as Log[];
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    return Math.min(...(await Promise.all(address.map((one) => creationBlock(rpc, one, latest)))));
  }
  if (logs.length === 0) {
    throw new DomainError(
      'internal',
      'deployment_failed',
      'the chain shows no event of the contracts it has',
    );
  }
  return Math.min(...logs.map((log) => Number(log.blockNumber)));
};

const creationBlock = async (rpc: Rpc, address: string, latest: number): Promise<number> => {
  let [without, within] = [-1, latest];
  try {
    while (within - without > 1) {
      const middle = Math.floor((without + within) / 2);
      if ((await codeAt(rpc, address, quantity(middle))) === '0x') without = middle;
      else within = middle;
    }
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    throw new DomainError(
      'unavailable',
      'no_history',
      `the node knows neither the first event of ${address} nor its code at earlier blocks: ask an archive node`,
      { cause: error },
    );
  }
  return within;
};
