import { chainProvider, explainRevert, providerRegistry, testUsdc } from '@gridbourse/chain';
import { canonicalJson, DomainError } from '@gridbourse/kernel';
import type { Logger } from '@gridbourse/observability';
import { type ContractTransactionResponse, id, type JsonRpcProvider, Wallet } from 'ethers';
import type { AgentConfig } from '../config.ts';

const CONFIRMATION_MS = 30_000;

/**
 * Registers the wallet on chain and brings its stake up to what is wanted. Looks before every step, so that it can be
 * repeated after any failure.
 * @returns the provider's number on chain
 * @throws DomainError `chain_unreachable`, `chain_refused`, `insufficient_tokens`
 */
export const ensureStake = async (
  config: Pick<AgentConfig, 'chain' | 'walletKey' | 'provider'>,
  logger: Logger,
): Promise<number> => {
  const { chain } = config;
  const provider = chainProvider(chain.rpcUrl, chain.chainId);
  try {
    return await stake(config, provider, logger);
  } catch (error) {
    if (error instanceof DomainError) throw error;
    const { code, message } = explainRevert(error);
    if (code === 'NotARevert') {
      throw new DomainError('unavailable', 'chain_unreachable', `the chain gave no answer: ${message}`, {
        cause: error,
      });
    }
    throw new DomainError('conflict', 'chain_refused', message, { cause: error });
  } finally {
    provider.destroy();
  }
};

const stake = async (
  { chain, walletKey, provider: about }: Pick<AgentConfig, 'chain' | 'walletKey' | 'provider'>,
  provider: JsonRpcProvider,
  logger: Logger,
): Promise<number> => {
  const wallet = new Wallet(walletKey, provider);
  const registry = providerRegistry(chain.providerRegistry, wallet);
  const token = testUsdc(chain.token, wallet);
  const send = async (what: string, sent: Promise<ContractTransactionResponse>): Promise<void> => {
    const transaction = await sent;
    const receipt = await transaction.wait(1, CONFIRMATION_MS);
    if (receipt?.status !== 1) throw new DomainError('conflict', 'chain_refused', `${what} was reverted`);
    logger.info({ transaction: transaction.hash, what }, 'confirmed on chain');
  };

  await settled(wallet);
  let chainProviderId = Number(await registry.providerIdOf(wallet.address));
  if (chainProviderId === 0) {
    await send('registration', registry.register(wallet.address, id(canonicalJson(about))));
    chainProviderId = Number(await registry.providerIdOf(wallet.address));
  }
  const missing = chain.stakeMicros - (await registry.stakeOf(chainProviderId));
  if (missing <= 0n) return chainProviderId;

  const balance = await token.balanceOf(wallet.address);
  if (balance < missing) {
    if (!chain.mintStake) {
      throw new DomainError(
        'conflict',
        'insufficient_tokens',
        `the stake lacks ${missing} micro-USDC and the wallet ${wallet.address} has ${balance}`,
      );
    }
    await send('mint', token.mint(wallet.address, missing - balance));
  }
  const allowance = await token.allowance(wallet.address, chain.providerRegistry);
  if (allowance < missing) await send('approval', token.approve(chain.providerRegistry, missing));
  await send('stake', registry.stake(missing));
  return chainProviderId;
};

/** Transactions of an earlier run may still wait: what they do must not be done twice. */
const settled = async (wallet: Wallet): Promise<void> => {
  const end = performance.now() + CONFIRMATION_MS;
  for (;;) {
    const [pending, latest] = await Promise.all([wallet.getNonce('pending'), wallet.getNonce('latest')]);
    if (pending === latest) return;
    if (performance.now() > end) {
      throw new DomainError(
        'unavailable',
        'chain_unreachable',
        `${pending - latest} earlier transactions still wait`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
};
