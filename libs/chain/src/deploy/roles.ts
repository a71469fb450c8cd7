import { DomainError } from '@gridbourse/kernel';
import { id as keccak256OfText } from 'ethers';

/** Accounts by what they may do (docs/contracts.md). None of the lists may name one that another names, on a real chain. */
export type DeployRoles = {
  /** Open, extend, settle and close leases: the relayer's keys. */
  readonly operator: readonly string[];
  readonly pauser?: readonly string[];
  readonly tierSetter?: readonly string[];
  readonly suspender?: readonly string[];
  readonly slasher?: readonly string[];
  /** Cancel slashes, and take back roots of rewards. */
  readonly disputer?: readonly string[];
  readonly rewardPoster?: readonly string[];
  /** Schedule and cancel upgrades. Absent: the admin. */
  readonly upgradeProposer?: readonly string[];
  /** Carry out upgrades that have waited. Absent: everyone. */
  readonly upgradeExecutor?: readonly string[];
  /** Cancel upgrades, besides their proposers. */
  readonly upgradeCanceller?: readonly string[];
  /** Who is credited slashed amounts that no tenant is owed. Absent: the admin. */
  readonly treasury?: string;
  /** Grants and revokes roles. Absent: the deployer keeps that right. */
  readonly admin?: string;
};

export type ProxiedContract = 'ComputeMarket' | 'ProviderRegistry' | 'LivenessRewards';
export const PROXIED = ['ProviderRegistry', 'ComputeMarket', 'LivenessRewards'] as const;

/** One account's right on one contract. */
export type Grant = {
  readonly contract: ProxiedContract;
  readonly roleName: string;
  readonly role: string;
  /** Lower case. */
  readonly account: string;
};

export const ADMIN_ROLE = `0x${'00'.repeat(32)}`;
/** As an executor of upgrades: everyone. */
export const ANYONE = `0x${'00'.repeat(20)}`;

const ROLE_NAMES = [
  'OPERATOR_ROLE',
  'PAUSER_ROLE',
  'TIER_ROLE',
  'SUSPENDER_ROLE',
  'SLASHER_ROLE',
  'DISPUTE_ROLE',
  'POSTER_ROLE',
  'PROPOSER_ROLE',
  'EXECUTOR_ROLE',
  'CANCELLER_ROLE',
] as const;

const NAME_OF_ROLE = new Map<string, string>([
  [ADMIN_ROLE, 'DEFAULT_ADMIN_ROLE'],
  ...ROLE_NAMES.map((name) => [keccak256OfText(name), name] as const),
]);

export const roleOf = (name: (typeof ROLE_NAMES)[number]): string => keccak256OfText(name);
/** A role's name, or its id where it is none of ours. */
export const nameOfRole = (role: string): string => NAME_OF_ROLE.get(role) ?? role;

const lower = (accounts: readonly string[] = []): string[] =>
  accounts.map((account) => account.toLowerCase());

/** Who shall have which role on the three contracts, once everything is done. */
export const wantedGrants = (roles: DeployRoles, deployer: string): Grant[] => {
  const on = (
    contracts: readonly ProxiedContract[],
    name: (typeof ROLE_NAMES)[number],
    accounts: readonly string[] | undefined,
  ): Grant[] =>
    contracts.flatMap((contract) =>
      lower(accounts).map((account) => ({ contract, roleName: name, role: roleOf(name), account })),
    );
  return [
    ...on(['ComputeMarket'], 'OPERATOR_ROLE', roles.operator),
    ...on(PROXIED, 'PAUSER_ROLE', roles.pauser),
    ...on(['ProviderRegistry'], 'TIER_ROLE', roles.tierSetter),
    ...on(['ProviderRegistry'], 'SUSPENDER_ROLE', roles.suspender),
    ...on(['ProviderRegistry'], 'SLASHER_ROLE', roles.slasher),
    ...on(['ProviderRegistry', 'LivenessRewards'], 'DISPUTE_ROLE', roles.disputer),
    ...on(['LivenessRewards'], 'POSTER_ROLE', roles.rewardPoster),
    ...PROXIED.map((contract) => ({
      contract,
      roleName: 'DEFAULT_ADMIN_ROLE',
      role: ADMIN_ROLE,
      account: (roles.admin ?? deployer).toLowerCase(),
    })),
  ];
};

export type TimelockRoles = {
  readonly proposers: readonly string[];
  readonly executors: readonly string[];
  readonly cancellers: readonly string[];
};

export const timelockRoles = (roles: DeployRoles, deployer: string): TimelockRoles => ({
  proposers: lower(roles.upgradeProposer ?? [roles.admin ?? deployer]),
  executors: lower(roles.upgradeExecutor ?? [ANYONE]),
  cancellers: lower(roles.upgradeCanceller),
});

/**
 * On a real chain every role is filled, and each key has one: a stolen key is worth one role.
 * @throws DomainError `roles_not_separate`, with a fault for each role that nobody has, and for each account of two
 */
export const demandSeparateRoles = (roles: DeployRoles, deployer: string): void => {
  const holders: Record<string, readonly string[]> = {
    operator: roles.operator,
    pauser: roles.pauser ?? [],
    tierSetter: roles.tierSetter ?? [],
    suspender: roles.suspender ?? [],
    slasher: roles.slasher ?? [],
    disputer: roles.disputer ?? [],
    rewardPoster: roles.rewardPoster ?? [],
    upgradeProposer: roles.upgradeProposer ?? [],
    upgradeCanceller: roles.upgradeCanceller ?? [],
    treasury: roles.treasury ? [roles.treasury] : [],
    admin: roles.admin ? [roles.admin] : [],
  };
  const known = new Map([[deployer.toLowerCase(), 'the deployer']]);
  const faults = Object.entries(holders).flatMap(([role, accounts]) => {
    if (accounts.length === 0) return [{ pointer: `/${role}`, message: 'nobody has it' }];
    return lower(accounts).flatMap((account, index) => {
      const other = known.get(account);
      known.set(account, role);
      return other === undefined
        ? []
        : [{ pointer: `/${role}/${index}`, message: `${account} is ${other} as well` }];
    });
  });
  if (faults.length === 0) return;
  const told = faults.map(({ pointer, message }) => `${pointer.slice(1)}: ${message}`).join('; ');
  throw new DomainError('invalid', 'roles_not_separate', `each role needs a key of its own (${told})`, {
    faults,
  });
};
