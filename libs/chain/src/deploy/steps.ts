import { DomainError } from '@gridbourse/kernel';
import { concat } from 'ethers';
import { encodeCall } from '../contracts.ts';
import type { Rpc } from '../json-rpc.ts';
import { haveRoles } from './chain-state.ts';
import { CREATE2_FACTORY, type Deployable, SALT } from './code.ts';
import type { Plan } from './plan.ts';
import { ADMIN_ROLE, type Grant, nameOfRole, PROXIED } from './roles.ts';
import { checkCode, checkImplementation } from './verify.ts';

/** One transaction of the deployer. */
export type Step = {
  /** What is there when it is done, as a sentence: `ComputeMarket at 0x…`. */
  readonly title: string;
  readonly to: string;
  readonly data: string;
  /** No less than it takes on an Ethereum chain, without what a rollup adds for its calldata. */
  readonly gasBound: bigint;
};

const TRANSACTION_GAS = 21_000n;
const CREATE_GAS = 32_000n;
const GAS_PER_CODE_BYTE = 200n;
/** Non-zero calldata, the word of init code, and its hash. */
const GAS_PER_INIT_BYTE = 17n;
const CONSTRUCTOR_GAS = 400_000n;
const ROLE_GAS = 100_000n;

/**
 * What of the plan is not done yet, in the order in which it has to be done; read from the chain, so that it is right
 * whatever an earlier run got done.
 * @throws DomainError `foreign_code`, `no_create2_factory`, `unexpected_implementation`, `missing_role` (only its admin could grant it)
 */
export const missingSteps = async (rpc: Rpc, plan: Plan): Promise<Step[]> => {
  const absent = await checkCode(rpc, plan);
  const missing = new Set(absent.map(({ address }) => address));
  const isThere = ({ contract }: Pick<Grant, 'contract'>) => !missing.has(plan.contracts[contract]);
  const proxies = PROXIED.filter((contract) => isThere({ contract }));
  await Promise.all(proxies.map((name) => checkImplementation(rpc, plan, name)));
  const admins = PROXIED.map((contract) => ({ contract, role: ADMIN_ROLE, account: plan.deployer }));
  const asked = [...plan.grants, ...admins].filter(isThere);
  const answers = await haveRoles(
    rpc,
    asked.map((grant) => ({ ...grant, address: plan.contracts[grant.contract] })),
  );
  const granted = new Map(asked.map((grant, index) => [keyOf(grant), answers[index]!]));
  const isAdmin = (grant: Pick<Grant, 'contract'>) =>
    !isThere(grant) || granted.get(keyOf({ ...grant, role: ADMIN_ROLE, account: plan.deployer }))!;

  /** The initializers make the deployer admin. */
  const isBorn = (grant: Grant) =>
    !isThere(grant) && grant.role === ADMIN_ROLE && grant.account === plan.deployer;
  const grants = plan.grants.filter((grant) => !granted.get(keyOf(grant)) && !isBorn(grant));
  const refused = grants.find((grant) => !isAdmin(grant));
  if (refused) {
    throw new DomainError(
      'conflict',
      'missing_role',
      `${refused.account} lacks ${refused.roleName} on ${refused.contract}, and the deployer is no longer its admin`,
    );
  }
  const left = plan.deployerLeaves ? admins.filter(isAdmin) : [];
  return [
    ...absent.map(creation),
    ...grants.map((grant) => grantOf(plan, grant)),
    ...left.map(({ contract }) => ({
      title: `the deployer is no longer admin of ${contract}`,
      to: plan.contracts[contract],
      data: encodeCall(contract, 'renounceRole', [ADMIN_ROLE, plan.deployer]),
      gasBound: ROLE_GAS,
    })),
  ];
};

const keyOf = ({ contract, role, account }: Pick<Grant, 'contract' | 'role' | 'account'>): string =>
  `${contract} ${role} ${account}`;

const creation = ({ title, address, initCode, runtimeCode }: Deployable): Step => {
  const initBytes = BigInt((initCode.length - 2) / 2 + 32);
  const codeBytes = BigInt((runtimeCode.length - 2) / 2);
  return {
    title: `${title} at ${address}`,
    to: CREATE2_FACTORY,
    data: concat([SALT, initCode]),
    gasBound:
      TRANSACTION_GAS +
      CREATE_GAS +
      CONSTRUCTOR_GAS +
      initBytes * GAS_PER_INIT_BYTE +
      codeBytes * GAS_PER_CODE_BYTE,
  };
};

const grantOf = (plan: Plan, { contract, role, account }: Grant): Step => ({
  title: `${account} has ${nameOfRole(role)} on ${contract}`,
  to: plan.contracts[contract],
  data: encodeCall(contract, 'grantRole', [role, account]),
  gasBound: ROLE_GAS,
});
