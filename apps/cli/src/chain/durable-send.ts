import { explainRevert } from '@gridbourse/chain';
import { DomainError } from '@gridbourse/kernel';
import { type JsonRpcProvider, keccak256, type TransactionReceipt, type Wallet } from 'ethers';
import { setTimeout as pause } from 'node:timers/promises';

const LOOK_EVERY_MS = 50;

/** What the contract says to a transaction before it is sent. */
const refusalOf = (error: unknown): unknown => {
  const revert = explainRevert(error);
  if (revert.code === 'NotARevert') return error;
  return new DomainError(
    'conflict',
    'transaction_refused',
    `the contract refuses the transaction: ${revert.message}`,
    { cause: error },
  );
};

/** Tries again while the chain does not answer, until the deadline. */
const untilAnswered = async <T>(work: () => Promise<T>, end: number): Promise<T> => {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const { code } = error as { code?: string };
      const away =
        code === 'SERVER_ERROR' || code === 'NETWORK_ERROR' || code === 'TIMEOUT' || code === 'ECONNREFUSED';
      if (!away) throw refusalOf(error);
      if (Date.now() > end) {
        throw new DomainError('unavailable', 'chain_unreachable', 'the chain does not answer', {
          cause: error,
        });
      }
      await pause(LOOK_EVERY_MS * 4);
    }
  }
};

/**
 * Sends one transaction exactly once, whatever happens to the connection: it is signed once, and the same bytes are
 * sent until their receipt is there.
 * @throws DomainError `transaction_refused`, `transaction_reverted`, and after the deadline `chain_unreachable` or
 * `transaction_not_included`
 */
export const sendDurably = async (
  wallet: Wallet,
  transaction: { to: string; data: string },
  deadlineMs = 60_000,
): Promise<TransactionReceipt> => {
  const end = Date.now() + deadlineMs;
  const provider = wallet.provider as JsonRpcProvider;
  const signed = await untilAnswered(
    async () => wallet.signTransaction(await wallet.populateTransaction(transaction)),
    end,
  );
  const hash = keccak256(signed);
  while (Date.now() < end) {
    try {
      const receipt = await provider.getTransactionReceipt(hash);
      if (receipt) {
        if (receipt.status === 1) return receipt;
        throw new DomainError(
          'conflict',
          'transaction_reverted',
          `the contract refused the transaction ${hash}`,
        );
      }
      await provider.send('eth_sendRawTransaction', [signed]);
    } catch (error) {
      // Sent before, or the chain is away: the receipt decides.
      if (error instanceof DomainError) throw error;
    }
    await pause(LOOK_EVERY_MS);
  }
  throw new DomainError(
    'unavailable',
    'transaction_not_included',
    `the chain did not include ${hash} in time`,
  );
};
