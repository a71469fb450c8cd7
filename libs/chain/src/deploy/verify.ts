import { DomainError } from '@gridbourse/kernel';
import { interfaces } from '../contracts.ts';
import type { Rpc } from '../json-rpc.ts';
import { codeAt, roleHolders } from './chain-state.ts';
import { CREATE2_FACTORY, CREATE2_FACTORY_CODE } from './code.ts';
import type { Plan } from './plan.ts';
import { ADMIN_ROLE, nameOfRole, PROXIED, type ProxiedContract, roleOf } from './roles.ts';

/** keccak256("eip1967.proxy.implementation") - 1 */
const IMPLEMENTATION_SLOT = '0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc';
const TOKEN_DECIMALS = 6;

/**
 * That the factory is the one whose code is known, and that no planned address holds other code than planned.
 * @returns what is not there yet
 * @throws DomainError `no_create2_factory`, `foreign_code`
 */
export const checkCode = async (rpc: Rpc, plan: Plan): Promise<Plan['deployables']> => {
  const factory = await codeAt(rpc, CREATE2_FACTORY);
  if (factory === '0x') {
    throw new DomainError(
      'unavailable',
      'no_create2_factory',
      `chain ${plan.chainId} has no contract at ${CREATE2_FACTORY}`,
    );
  }
  if (factory !== CREATE2_FACTORY_CODE) throw foreignCode('the CREATE2 factory', CREATE2_FACTORY);
  const codes = await Promise.all(plan.deployables.map(({ address }) => codeAt(rpc, address)));
  return plan.deployables.filter(({ title, address, runtimeCode }, index) => {
    if (codes[index] === '0x') return true;
    if (codes[index] !== runtimeCode) throw foreignCode(title, address);
    return false;
  });
};

const foreignCode = (what: string, address: string): DomainError =>
  new DomainError(
    'conflict',
    'foreign_code',
    `the code at ${address}, where ${what} belongs, is not that of ${what}`,
  );

/**
 * That the token is there and counts in millionths.
 * @throws DomainError `unusable_token`
 */
export const checkToken = async (rpc: Rpc, address: string): Promise<void> => {
  const refuse = (why: string): never => {
    throw new DomainError('conflict', 'unusable_token', `the token at ${address} ${why}`);
  };
  if ((await codeAt(rpc, address)) === '0x') refuse('is not there');
  const data = interfaces.TestUSDC.encodeFunctionData('decimals');
  const answer = (await rpc.send('eth_call', [{ to: address, data }, 'latest'])) as string;
  const decimals = answer === '0x' ? NaN : Number(answer);
  if (decimals !== TOKEN_DECIMALS) refuse(`has ${decimals} decimals, not ${TOKEN_DECIMALS}`);
};

/**
 * That what is on chain is the plan, all of it and nothing besides: the code to the last byte with what its constructors
 * fixed, the code behind each proxy, the timelock's delay, the treasury, and who has which role.
 * @param fromBlock the first in which any of the contracts was there
 * @throws DomainError `foreign_code`, `code_missing`, `unexpected_implementation`, `wrong_term`, `missing_role`,
 *   `unexpected_role`
 */
export const verifyPlan = async (rpc: Rpc, plan: Plan, fromBlock: number): Promise<void> => {
  const [absent] = await checkCode(rpc, plan);
  if (absent) {
    throw new DomainError('conflict', 'code_missing', `there is no ${absent.title} at ${absent.address}`);
  }
  await checkToken(rpc, plan.contracts.TestUSDC);
  await Promise.all(PROXIED.map((name) => checkImplementation(rpc, plan, name)));
  await checkTerms(rpc, plan);
  await Promise.all([
    checkRoles(rpc, 'UpgradeTimelock', plan.contracts.UpgradeTimelock, timelockHolders(plan), fromBlock),
    ...PROXIED.map((name) => checkRoles(rpc, name, plan.contracts[name], holdersOf(plan, name), fromBlock)),
  ]);
};

/** @throws DomainError `unexpected_implementation` */
export const checkImplementation = async (rpc: Rpc, plan: Plan, name: ProxiedContract): Promise<void> => {
  const stored = (await rpc.send('eth_getStorageAt', [
    plan.contracts[name],
    IMPLEMENTATION_SLOT,
    'latest',
  ])) as string;
  const found = `0x${BigInt(stored).toString(16).padStart(40, '0')}`;
  if (found === plan.implementations[name]) return;
  throw new DomainError(
    'conflict',
    'unexpected_implementation',
    `${name} at ${plan.contracts[name]} runs the code at ${found}, not that at ${plan.implementations[name]}: it was upgraded`,
  );
};

/** What no code holds, but state. */
const checkTerms = async (rpc: Rpc, plan: Plan): Promise<void> => {
  const ask = async (name: 'UpgradeTimelock' | 'ProviderRegistry', call: string): Promise<bigint> => {
    const data = interfaces[name].encodeFunctionData(call);
    return BigInt((await rpc.send('eth_call', [{ to: plan.contracts[name], data }, 'latest'])) as string);
  };
  const delay = await ask('UpgradeTimelock', 'getMinDelay');
  if (delay !== BigInt(plan.terms.upgradeDelaySeconds)) {
    throw new DomainError(
      'conflict',
      'wrong_term',
      `upgrades wait ${delay} s, not ${plan.terms.upgradeDelaySeconds} s`,
    );
  }
  const treasury = await ask('ProviderRegistry', 'treasury');
  if (treasury !== BigInt(plan.treasury)) {
    const found = `0x${treasury.toString(16).padStart(40, '0')}`;
    throw new DomainError('conflict', 'wrong_term', `the treasury is ${found}, not ${plan.treasury}`);
  }
};

const key = (role: string, account: string): string => `${role} ${account}`;

const holdersOf = (plan: Plan, name: ProxiedContract): Set<string> =>
  new Set(
    plan.grants.filter(({ contract }) => contract === name).map(({ role, account }) => key(role, account)),
  );

/** The timelock is its own admin: whatever changes its roles waits as long as an upgrade. */
const timelockHolders = ({ contracts, timelock }: Plan): Set<string> =>
  new Set([
    key(ADMIN_ROLE, contracts.UpgradeTimelock),
    ...timelock.proposers.map((account) => key(roleOf('PROPOSER_ROLE'), account)),
    ...[...timelock.proposers, ...timelock.cancellers].map((account) =>
      key(roleOf('CANCELLER_ROLE'), account),
    ),
    ...timelock.executors.map((account) => key(roleOf('EXECUTOR_ROLE'), account)),
  ]);

const checkRoles = async (
  rpc: Rpc,
  name: string,
  address: string,
  wanted: ReadonlySet<string>,
  fromBlock: number,
): Promise<void> => {
  const holders = await roleHolders(rpc, address, fromBlock);
  const found = new Set(holders.map(({ role, account }) => key(role, account)));
  const extra = holders.find(({ role, account }) => !wanted.has(key(role, account)));
  if (extra) {
    throw new DomainError(
      'conflict',
      'unexpected_role',
      `${extra.account} has ${nameOfRole(extra.role)} on ${name}, and nobody asked for that`,
    );
  }
  const missing = [...wanted].find((holder) => !found.has(holder));
  if (missing === undefined) return;
  const [role = '', account] = missing.split(' ');
  throw new DomainError('conflict', 'missing_role', `${account} lacks ${nameOfRole(role)} on ${name}`);
};
