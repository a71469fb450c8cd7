import { type DeployProfile, deployProfile, type DeployRoles } from '@gridbourse/chain';
import { invalid } from '@gridbourse/kernel';
import { localDeployerKey, localRoles } from '@gridbourse/local-platform';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { z } from 'zod';

export const USAGE = `npm run deploy -- --profile local|arbitrum-sepolia|arbitrum-one [options]

  --rpc-url URL         the chain's JSON-RPC; or GRIDBOURSE_RPC_URL (local: http://127.0.0.1:8545)
  --roles FILE          JSON: who may do what, see docs/contracts.md (local: keys that everybody knows)
  --out FILE            where the record goes (libs/chain/deployments/<profile>.json)
  --max-fee-gwei N      send nothing while gas costs more
  --dry-run             say what is missing and what it may cost; send and write nothing

The deployer's key comes from GRIDBOURSE_DEPLOYER_KEY (local: one that everybody knows).
A run that was cut off is taken up where it stood by the same command.
`;

export type DeploySettings = {
  readonly profile: DeployProfile;
  readonly rpcUrl: string;
  readonly deployerKey: string;
  readonly roles: DeployRoles;
  readonly out: string;
  readonly maxFeeGwei?: number;
  readonly dryRun: boolean;
};

const address = z
  .string()
  .regex(/^0x[0-9a-fA-F]{40}$/, 'an address: 0x and 40 hexadecimal digits')
  .refine((value) => !/^0x0+$/.test(value), 'nobody has the zero address');
const accounts = z.array(address).min(1).max(32);
const rolesFile = z.strictObject({
  operator: accounts,
  pauser: accounts,
  tierSetter: accounts,
  suspender: accounts,
  slasher: accounts,
  disputer: accounts,
  rewardPoster: accounts,
  upgradeProposer: accounts,
  /** Left out: everyone may carry out what has waited. */
  upgradeExecutor: accounts.optional(),
  upgradeCanceller: accounts,
  treasury: address,
  admin: address,
});

/** @throws DomainError `invalid_arguments`, `invalid_roles`, `unknown_profile` */
export const readSettings = (
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): DeploySettings => {
  const given = argumentsOf(args);
  if (given.profile === undefined) throw invalid('invalid_arguments', 'name a chain with --profile');
  const profile = deployProfile(given.profile);
  const isLocal = profile.name === 'local';
  const rpcUrl =
    given['rpc-url'] ?? environment['GRIDBOURSE_RPC_URL'] ?? (isLocal ? 'http://127.0.0.1:8545' : undefined);
  if (!rpcUrl || !URL.canParse(rpcUrl)) {
    throw invalid('invalid_arguments', 'give the JSON-RPC of the chain with --rpc-url');
  }
  const deployerKey = environment['GRIDBOURSE_DEPLOYER_KEY'] ?? (isLocal ? localDeployerKey() : undefined);
  if (!deployerKey || !/^0x[0-9a-fA-F]{64}$/.test(deployerKey)) {
    throw invalid('invalid_arguments', 'GRIDBOURSE_DEPLOYER_KEY must be 0x and 64 hexadecimal digits');
  }
  if (given.roles === undefined && !isLocal) {
    throw invalid('invalid_arguments', 'say who may do what with --roles');
  }
  const fee = given['max-fee-gwei'];
  if (fee !== undefined && !/^\d{1,6}(\.\d{1,3})?$/.test(fee)) {
    throw invalid('invalid_arguments', '--max-fee-gwei takes a number with three decimals at most');
  }
  return {
    profile,
    rpcUrl,
    deployerKey,
    roles: given.roles === undefined ? localRoles() : readRoles(given.roles),
    out: given.out ?? `libs/chain/deployments/${profile.name}.json`,
    ...(fee === undefined ? {} : { maxFeeGwei: Number(fee) }),
    dryRun: given['dry-run'] ?? false,
  };
};

const argumentsOf = (args: readonly string[]) => {
  try {
    return parseArgs({
      args: [...args],
      options: {
        profile: { type: 'string' },
        'rpc-url': { type: 'string' },
        roles: { type: 'string' },
        out: { type: 'string' },
        'max-fee-gwei': { type: 'string' },
        'dry-run': { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    throw invalid('invalid_arguments', error instanceof Error ? error.message : String(error));
  }
};

const readRoles = (file: string): DeployRoles => {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw invalid('invalid_roles', `${file} cannot be read as JSON (${String(error)})`);
  }
  const roles = rolesFile.safeParse(value);
  if (roles.success) {
    const { upgradeExecutor, ...others } = roles.data;
    return upgradeExecutor ? { ...others, upgradeExecutor } : others;
  }
  const faults = roles.error.issues.map(({ path, message }) => ({
    pointer: `/${path.join('/')}`,
    message,
  }));
  throw invalid('invalid_roles', `${file} does not say who may do what`, faults);
};
