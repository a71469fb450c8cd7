import { DomainError } from '@gridbourse/kernel';
import { formatEther, isError, type JsonRpcProvider, type TransactionRequest, Wallet } from 'ethers';
import { chainProvider } from '../chain-provider.ts';
import type { Deployment } from '../deployment.ts';
import { HttpRpc, type Rpc } from '../json-rpc.ts';
import { explainRevert } from '../reverts.ts';
import { firstBlockOf } from './chain-state.ts';
import { type Plan, planDeployment } from './plan.ts';
import { demandSeparateRoles, type DeployRoles } from './roles.ts';
import { missingSteps, type Step } from './steps.ts';
import type { DeployParams } from './terms.ts';
import { checkToken, verifyPlan } from './verify.ts';

const PENDING_DEADLINE_MS = 60_000;
const RECEIPT_DEADLINE_MS = 180_000;
const POLL_MS = 200;
const RPC_TIMEOUT_MS = 30_000;
const GWEI = 1_000_000_000n;

export type DeployRequest = {
  readonly rpcUrl: string;
  readonly deployerKey: string;
  readonly roles: DeployRoles;
  readonly params?: DeployParams;
  /** Refuse any other chain. */
  readonly chainId?: number;
  /** Refuse a key that has two roles, and a role that nobody has. */
  readonly separateRoles?: boolean;
  /** No unit of gas may cost more: nothing is sent while it does, and no transaction pays more. */
  readonly maxFeeGwei?: number;
  /** Called before each transaction. */
  readonly onStep?: (step: Step, index: number, count: number) => void;
};

/** What is left to do on a chain, and what it may cost. */
export type Preparation = {
  readonly plan: Plan;
  readonly steps: readonly Step[];
  /** Highest cost of the steps at the present price of gas, without what a rollup adds for calldata; in wei. */
  readonly costWei: bigint;
  readonly balanceWei: bigint;
  readonly gasPriceWei: bigint;
};

/**
 * Looks at everything and sends nothing.
 * @throws DomainError `wrong_chain`, `roles_not_separate`, `no_create2_factory`, `foreign_code`, `unusable_token`,
 *   `missing_role`, `pending_transactions`, `rpc_unavailable`
 */
export const prepareDeployment = async (request: DeployRequest): Promise<Preparation> => {
  const rpc = new HttpRpc(request.rpcUrl, { timeoutMs: RPC_TIMEOUT_MS });
  const deployer = new Wallet(request.deployerKey).address;
  if (request.separateRoles) demandSeparateRoles(request.roles, deployer);
  const chainId = Number(await rpc.send('eth_chainId', []));
  if (request.chainId !== undefined && chainId !== request.chainId) {
    throw new DomainError('conflict', 'wrong_chain', `expected chain ${request.chainId}, found ${chainId}`);
  }
  await untilNothingPends(rpc, deployer);
  const plan = planDeployment({ ...request, chainId, deployer });
  if (request.params?.token !== undefined) await checkToken(rpc, request.params.token);
  const steps = await missingSteps(rpc, plan);
  const gasPriceWei = BigInt((await rpc.send('eth_gasPrice', [])) as string);
  const balanceWei = BigInt((await rpc.send('eth_getBalance', [deployer, 'latest'])) as string);
  const gas = steps.reduce((sum, { gasBound }) => sum + gasBound, 0n);
  return { plan, steps, costWei: gas * gasPriceWei, balanceWei, gasPriceWei };
};

/**
 * Deploys what is not there yet, grants the roles that are missing, checks that the chain then holds what was asked for to
 * the last byte and role, and says where everything is. Same deployer, roles and parameters: same addresses, however often
 * it is called, and whatever an earlier call that ended anywhere got done.
 * @throws DomainError as `prepareDeployment` and `verifyPlan`; `insufficient_balance`, `gas_too_dear`, `deployment_failed`
 */
export const deployContracts = async (request: DeployRequest): Promise<Deployment> =>
  (await deployPlan(request)).deployment;

/** The same, and the plan that was carried out. */
export const deployPlan = async (
  request: DeployRequest,
): Promise<{ readonly plan: Plan; readonly deployment: Deployment }> => {
  const preparation = await prepareDeployment(request);
  const { plan, steps } = preparation;
  if (steps.length > 0) {
    demandMeans(request, preparation);
    await send(request, plan, steps);
  }
  const rpc = new HttpRpc(request.rpcUrl, { timeoutMs: RPC_TIMEOUT_MS });
  const deployBlock = await firstBlockOf(rpc, plan.contracts);
  await verifyPlan(rpc, plan, deployBlock);
  return { plan, deployment: { chainId: plan.chainId, deployBlock, contracts: plan.contracts } };
};

const maxFeeWei = ({ maxFeeGwei }: DeployRequest): bigint | undefined =>
  maxFeeGwei === undefined ? undefined : (BigInt(Math.round(maxFeeGwei * 1_000)) * GWEI) / 1_000n;

const demandMeans = (request: DeployRequest, preparation: Preparation): void => {
  const { plan, steps, costWei, balanceWei, gasPriceWei } = preparation;
  const limitWei = maxFeeWei(request);
  if (limitWei !== undefined && gasPriceWei > limitWei) {
    const price = Number(gasPriceWei) / Number(GWEI);
    throw new DomainError(
      'exhausted',
      'gas_too_dear',
      `gas costs ${price} gwei, and ${request.maxFeeGwei} is the limit`,
    );
  }
  if (balanceWei >= costWei) return;
  throw new DomainError(
    'exhausted',
    'insufficient_balance',
    `the deployer ${plan.deployer} has ${formatEther(balanceWei)} ETH on chain ${plan.chainId}, and the ` +
      `${steps.length} transactions that are left may cost ${formatEther(costWei)} ETH`,
  );
};

/**
 * A transaction of a run that was cut off may be mined yet: to look at the chain before would be to send it twice.
 * @throws DomainError `pending_transactions`
 */
const untilNothingPends = async (rpc: Rpc, deployer: string): Promise<void> => {
  const count = async (block: string) => Number(await rpc.send('eth_getTransactionCount', [deployer, block]));
  const deadline = Date.now() + PENDING_DEADLINE_MS;
  for (;;) {
    const [mined, known] = [await count('latest'), await count('pending')];
    if (known <= mined) return;
    if (Date.now() > deadline) {
      throw new DomainError(
        'conflict',
        'pending_transactions',
        `${known - mined} transactions of ${deployer} have not been mined for ${PENDING_DEADLINE_MS / 1_000} s`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
};

const send = async (request: DeployRequest, plan: Plan, steps: readonly Step[]): Promise<void> => {
  const provider: JsonRpcProvider = chainProvider(request.rpcUrl, plan.chainId);
  try {
    const wallet = new Wallet(request.deployerKey, provider);
    const limitWei = maxFeeWei(request);
    // Arbitrum takes no tips.
    const fees = limitWei === undefined ? {} : { maxFeePerGas: limitWei, maxPriorityFeePerGas: 0n };
    for (const [index, step] of steps.entries()) {
      request.onStep?.(step, index, steps.length);
      await sendOne(wallet, step, fees);
    }
  } finally {
    provider.destroy();
  }
};

const sendOne = async (
  wallet: Wallet,
  { title, to, data }: Step,
  fees: Pick<TransactionRequest, 'maxFeePerGas' | 'maxPriorityFeePerGas'>,
): Promise<void> => {
  try {
    const sent = await wallet.sendTransaction({ to, data, ...fees });
    const receipt = await sent.wait(1, RECEIPT_DEADLINE_MS);
    if (receipt?.status === 1) return;
    throw new Error(`${sent.hash} reverted`);
  } catch (error) {
    if (isError(error, 'INSUFFICIENT_FUNDS')) {
      throw new DomainError(
        'exhausted',
        'insufficient_balance',
        `the deployer ${wallet.address} cannot pay for this: ${title}`,
        { cause: error },
      );
    }
    const { code, message } = explainRevert(error);
    const why = code === 'NotARevert' ? message : `the chain refuses it: ${message}`;
    throw new DomainError('unavailable', 'deployment_failed', `not so yet: ${title} (${why})`, {
      cause: error,
    });
  }
};
