import { DomainError } from '@gridbourse/kernel';
import { AbiCoder, concat, getCreate2Address, id as keccak256OfText, keccak256, Wallet } from 'ethers';
import { chainProvider } from './chain-provider.ts';
import { computeMarket, interfaces, providerRegistry } from './contracts.ts';
import { bytecode as computeMarketBytecode } from './generated/ComputeMarket.ts';
import { bytecode as providerRegistryBytecode } from './generated/ProviderRegistry.ts';
import { bytecode as testUsdcBytecode } from './generated/TestUSDC.ts';
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
  };
};

export type DeployRoles = {
  /** Who may open, settle and close leases: the relayer's keys. */
  readonly operator: readonly string[];
  readonly pauser?: readonly string[];
  /** Grants and revokes roles. Absent: the deployer keeps that right. */
  readonly admin?: string;
};

export type DeployParams = {
  /** An existing token with six decimals; absent: TestUSDC is deployed. */
  readonly token?: string;
  /** Default a week. */
  readonly thawSeconds?: number;
  /** Operator's silence after which tenant or provider may close a lease. Default a day. */
  readonly forceCloseAfterSeconds?: number;
};

/** Present at this address on every chain of note: deploys with CREATE2, so that addresses follow from the code. */
const CREATE2_FACTORY = '0x4e59b44847b379578588920ca78fbf26c0b4956c';
const SALT = keccak256OfText('gridbourse.contracts.v1');
const DEFAULT_THAW_SECONDS = 7 * 24 * 3_600;
const DEFAULT_FORCE_CLOSE_SECONDS = 24 * 3_600;

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
    const { token, thawSeconds, forceCloseAfterSeconds } = options.params ?? {};
    const TestUSDC = token?.toLowerCase() ?? (await ensureCode(rpc, deployer, 'TestUSDC', testUsdcBytecode));
    const ProviderRegistry = await ensureCode(
      rpc,
      deployer,
      'ProviderRegistry',
      initCode(
        providerRegistryBytecode,
        ['address', 'address', 'uint32'],
        [TestUSDC, deployer.address, thawSeconds ?? DEFAULT_THAW_SECONDS],
      ),
    );
    const ComputeMarket = await ensureCode(
      rpc,
      deployer,
      'ComputeMarket',
      initCode(
        computeMarketBytecode,
        ['address', 'address', 'address', 'uint32'],
        [TestUSDC, ProviderRegistry, deployer.address, forceCloseAfterSeconds ?? DEFAULT_FORCE_CLOSE_SECONDS],
      ),
    );
    const contracts = { ComputeMarket, ProviderRegistry, TestUSDC };
    await ensureRoles(contracts, deployer, options.roles);
    return { chainId, deployBlock: await firstBlockOf(rpc, contracts), contracts };
  } finally {
    provider.destroy();
  }
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
  contracts: Deployment['contracts'],
  deployer: Wallet,
  roles: DeployRoles,
): Promise<void> => {
  const market = computeMarket(contracts.ComputeMarket, deployer);
  const registry = providerRegistry(contracts.ProviderRegistry, deployer);
  const pausers = roles.pauser ?? [];
  const admins = roles.admin === undefined ? [] : [roles.admin];
  const wanted = [
    ...roles.operator.map((account) => ({ on: market, role: OPERATOR_ROLE, account })),
    ...pausers.flatMap((account) => [market, registry].map((on) => ({ on, role: PAUSER_ROLE, account }))),
    ...admins.flatMap((account) => [market, registry].map((on) => ({ on, role: ADMIN_ROLE, account }))),
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
  for (const on of [market, registry]) {
    if (!(await on.hasRole(ADMIN_ROLE, deployer.address))) continue;
    await (await on.renounceRole(ADMIN_ROLE, deployer.address)).wait();
  }
};

/** Both constructors grant a role, so the first event of each is in the block that made it. */
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
