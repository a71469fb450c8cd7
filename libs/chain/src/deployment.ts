import { DomainError } from '@gridbourse/kernel';
import { AbiCoder, concat, getCreate2Address, id as keccak256OfText, keccak256, Wallet } from 'ethers';
import { chainProvider } from './chain-provider.ts';
import { computeMarket, interfaces, livenessRewards, providerRegistry } from './contracts.ts';
import { bytecode as computeMarketBytecode } from './generated/ComputeMarket.ts';
import { bytecode as proxyBytecode } from './generated/GridbourseProxy.ts';
import { bytecode as livenessRewardsBytecode } from './generated/LivenessRewards.ts';
import { bytecode as providerRegistryBytecode } from './generated/ProviderRegistry.ts';
import { bytecode as testUsdcBytecode } from './generated/TestUSDC.ts';
import { bytecode as upgradeTimelockBytecode } from './generated/UpgradeTimelock.ts';
import { HttpRpc, quantity, type Rpc } from './json-rpc.ts';

/** Where the contracts are. Addresses in lower case. */
export type Deployment = {
  readonly chainId: number;
  /** The block of the first event of any of them. */
  readonly deployBlock: number;
  readonly contracts: {
    readonly ComputeMarket: string;
    readonly ProviderRegistry: string;
    readonly TestUSDC: string;
    /** Absent in records of deployments from before there were any. */
    readonly LivenessRewards?: string;
    /** The only account that may upgrade the others. Absent in records from before there were upgrades. */
    readonly UpgradeTimelock?: string;
  };
};

export type DeployRoles = {
  /** Who may open, settle and close leases: the relayer's keys. */
  readonly operator: readonly string[];
  readonly pauser?: readonly string[];
  /** Who may schedule upgrades. Absent: the admin. */
  readonly upgradeProposer?: readonly string[];
  /** Who is credited slashed amounts that no tenant is owed. Absent: the admin. */
  readonly treasury?: string;
  /** Grants and revokes roles. Absent: the deployer keeps that right. */
  readonly admin?: string;
};

export type DeployParams = {
  /** An existing token with six decimals; absent: TestUSDC is deployed. */
  readonly token?: string;
  /** Default a week. Three sevenths of it are for disputes of a slash, the rest for its execution. */
  readonly thawSeconds?: number;
  /** Operator's silence after which tenant or provider may close a lease. Default a day. */
  readonly forceCloseAfterSeconds?: number;
  /** What an upgrade waits; the contracts refuse less than their own longest exit. Default two weeks. */
  readonly upgradeDelaySeconds?: number;
};

/** Present at this address on every chain of note: deploys with CREATE2, so that addresses follow from the code. */
const CREATE2_FACTORY = '0x4e59b44847b379578588920ca78fbf26c0b4956c';
const SALT = keccak256OfText('gridbourse.contracts.v2');
const DEFAULT_THAW_SECONDS = 7 * 24 * 3_600;
const DEFAULT_FORCE_CLOSE_SECONDS = 24 * 3_600;
const DEFAULT_UPGRADE_DELAY_SECONDS = 14 * 24 * 3_600;
const ERA_SECONDS = 24 * 3_600;
/** Half of what is at stake, at most, in one era. */
const ERA_SLASH_CAP_BPS = 5_000;
const CLAIM_SECONDS = 365 * 24 * 3_600;
const ANYONE = `0x${'00'.repeat(20)}`;

type ProxiedContract = 'ComputeMarket' | 'ProviderRegistry' | 'LivenessRewards';

const OPERATOR_ROLE = keccak256OfText('OPERATOR_ROLE');
const PAUSER_ROLE = keccak256OfText('PAUSER_ROLE');
const ADMIN_ROLE = `0x${'00'.repeat(32)}`;

const initCode = (bytecode: string, types: string[], values: unknown[]): string =>
  concat([bytecode, AbiCoder.defaultAbiCoder().encode(types, values)]);

const addressOf = (code: string): string =>
  getCreate2Address(CREATE2_FACTORY, SALT, keccak256(code)).toLowerCase();

/**
 * Deploys what is not there yet, grants the roles that are missing, and says where everything is. Same deployer, roles
 * and parameters: same addresses, however often it is called, and whatever an earlier call got done.
 * @throws DomainError `no_create2_factory`, `deployment_failed`, `missing_role` (only its admin could grant it)
 */
export const deployContracts = async (options: {
  rpcUrl: string;
  deployerKey: string;
  roles: DeployRoles;
  params?: DeployParams;
}): Promise<Deployment> => {
  const rpc = new HttpRpc(options.rpcUrl);
  const chainId = Number(await rpc.send('eth_chainId', []));
  const provider = chainProvider(options.rpcUrl, chainId);
  try {
    const deployer = new Wallet(options.deployerKey, provider);
    if (!(await hasCode(rpc, CREATE2_FACTORY))) {
      throw new DomainError(
        'unavailable',
        'no_create2_factory',
        `chain ${chainId} has no contract at ${CREATE2_FACTORY}`,
      );
    }
    const contracts = await ensureContracts(rpc, deployer, options.roles, options.params ?? {});
    await ensureRoles(contracts, deployer, options.roles);
    return { chainId, deployBlock: await firstBlockOf(rpc, contracts), contracts };
  } finally {
    provider.destroy();
  }
};

const ensureContracts = async (
  rpc: Rpc,
  deployer: Wallet,
  roles: DeployRoles,
  params: DeployParams,
): Promise<Required<Deployment['contracts']>> => {
  const admin = roles.admin ?? deployer.address;
  const TestUSDC =
    params.token?.toLowerCase() ?? (await ensureCode(rpc, deployer, 'TestUSDC', testUsdcBytecode));
  const UpgradeTimelock = await ensureCode(
    rpc,
    deployer,
    'UpgradeTimelock',
    initCode(
      upgradeTimelockBytecode,
      ['uint256', 'address[]', 'address[]'],
      [
        params.upgradeDelaySeconds ?? DEFAULT_UPGRADE_DELAY_SECONDS,
        roles.upgradeProposer ?? [admin],
        [ANYONE],
      ],
    ),
  );
  /** The code, and the proxy in front of it; the deployer is admin until the roles are granted. */
  const ensureProxy = async (name: ProxiedContract, code: string, initialize: unknown[]): Promise<string> => {
    const implementation = await ensureCode(rpc, deployer, `${name}'s code`, code);
    const call = interfaces[name].encodeFunctionData('initialize', initialize);
    return ensureCode(
      rpc,
      deployer,
      name,
      initCode(proxyBytecode, ['address', 'bytes'], [implementation, call]),
    );
  };
  const thawSeconds = params.thawSeconds ?? DEFAULT_THAW_SECONDS;
  const disputeSeconds = Math.floor((thawSeconds * 3) / 7);
  const ProviderRegistry = await ensureProxy(
    'ProviderRegistry',
    initCode(
      providerRegistryBytecode,
      ['address', 'address', 'tuple(uint32,uint32,uint32,uint32,uint16)'],
      [
        TestUSDC,
        UpgradeTimelock,
        [thawSeconds, disputeSeconds, thawSeconds - disputeSeconds, ERA_SECONDS, ERA_SLASH_CAP_BPS],
      ],
    ),
    [deployer.address, roles.treasury ?? admin],
  );
  const ComputeMarket = await ensureProxy(
    'ComputeMarket',
    initCode(
      computeMarketBytecode,
      ['address', 'address', 'address', 'uint32'],
      [
        TestUSDC,
        ProviderRegistry,
        UpgradeTimelock,
        params.forceCloseAfterSeconds ?? DEFAULT_FORCE_CLOSE_SECONDS,
      ],
    ),
    [deployer.address],
  );
  const LivenessRewards = await ensureProxy(
    'LivenessRewards',
    initCode(
      livenessRewardsBytecode,
      ['address', 'address', 'address', 'uint32', 'uint32', 'uint32'],
      [TestUSDC, ProviderRegistry, UpgradeTimelock, ERA_SECONDS, disputeSeconds, CLAIM_SECONDS],
    ),
    [deployer.address],
  );
  return { ComputeMarket, ProviderRegistry, TestUSDC, LivenessRewards, UpgradeTimelock };
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
    if (await hasCode(rpc, address)) continue;
    throw new DomainError(
      'conflict',
      'contracts_missing',
      `there is no ${name} at ${address} on chain ${chainId}`,
    );
  }
};

const hasCode = async (rpc: Rpc, address: string): Promise<boolean> =>
  (await rpc.send('eth_getCode', [address, 'latest'])) !== '0x';

/** The address commits to the code and its arguments: that there is code at all proves that it is this code. */
const ensureCode = async (rpc: Rpc, deployer: Wallet, name: string, code: string): Promise<string> => {
  const address = addressOf(code);
  if (await hasCode(rpc, address)) return address;
  const sent = await deployer.sendTransaction({ to: CREATE2_FACTORY, data: concat([SALT, code]) });
  const receipt = await sent.wait();
  if (receipt?.status !== 1 || !(await hasCode(rpc, address))) {
    throw new DomainError('internal', 'deployment_failed', `${name} is not at ${address} after ${sent.hash}`);
  }
  return address;
};

const ensureRoles = async (
  contracts: Required<Deployment['contracts']>,
  deployer: Wallet,
  roles: DeployRoles,
): Promise<void> => {
  const market = computeMarket(contracts.ComputeMarket, deployer);
  const registry = providerRegistry(contracts.ProviderRegistry, deployer);
  const rewards = livenessRewards(contracts.LivenessRewards, deployer);
  const all = [market, registry, rewards];
  const pausers = roles.pauser ?? [];
  const admins = roles.admin === undefined ? [] : [roles.admin];
  const wanted = [
    ...roles.operator.map((account) => ({ on: market, role: OPERATOR_ROLE, account })),
    ...pausers.flatMap((account) => all.map((on) => ({ on, role: PAUSER_ROLE, account }))),
    ...admins.flatMap((account) => all.map((on) => ({ on, role: ADMIN_ROLE, account }))),
  ];
  for (const { on, role, account } of wanted) {
    if (await on.hasRole(role, account)) continue;
    if (!(await on.hasRole(ADMIN_ROLE, deployer.address))) {
      throw new DomainError(
        'conflict',
        'missing_role',
        `${account} lacks role ${role}, and the deployer is no longer admin`,
      );
    }
    await (await on.grantRole(role, account)).wait();
  }
  if (roles.admin === undefined || roles.admin.toLowerCase() === deployer.address.toLowerCase()) return;
  for (const on of all) {
    if (!(await on.hasRole(ADMIN_ROLE, deployer.address))) continue;
    await (await on.renounceRole(ADMIN_ROLE, deployer.address)).wait();
  }
};

/** Both initializers grant a role, so the first event of each is in the block that made it. */
const firstBlockOf = async (rpc: Rpc, contracts: Deployment['contracts']): Promise<number> => {
  const roleGranted = interfaces.ComputeMarket.getEvent('RoleGranted')!.topicHash;
  const logs = (await rpc.send('eth_getLogs', [
    {
      fromBlock: quantity(0),
      toBlock: 'latest',
      address: [contracts.ComputeMarket, contracts.ProviderRegistry],
      topics: [roleGranted, ADMIN_ROLE],
    },
  ])) as { blockNumber: string }[];
  if (logs.length === 0) {
    throw new DomainError(
      'internal',
      'deployment_failed',
      'the chain shows no event of the contracts it has',
    );
  }
  return Math.min(...logs.map((log) => Number(log.blockNumber)));
};
