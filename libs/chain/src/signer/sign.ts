import { Transaction } from 'ethers';
import type { StoredAttempt } from './signer-store.ts';
import type { TransactionKey } from './types.ts';

export type Fees = { readonly maxFeePerGas: bigint; readonly maxPriorityFeePerGas: bigint };

/** Signs one EIP-1559 transaction. Without an intent it is a transfer of nothing to the key itself. */
export const signTransaction = async (
  key: TransactionKey,
  transaction: {
    chainId: number;
    nonce: number;
    fees: Fees;
    /** Null: only use up the nonce. */
    intent: { to: string; data: string; gasLimit: bigint } | null;
  },
  nowMs: number,
): Promise<StoredAttempt> => {
  const { chainId, nonce, fees, intent } = transaction;
  const unsigned = Transaction.from({
    type: 2,
    chainId,
    nonce,
    ...fees,
    to: intent?.to ?? key.address,
    data: intent?.data ?? '0x',
    gasLimit: intent?.gasLimit ?? BURN_GAS,
    value: 0,
  });
  unsigned.signature = await key.sign(unsigned.unsignedHash);
  return {
    hash: unsigned.hash!.toLowerCase(),
    raw: unsigned.serialized,
    maxFeePerGas: fees.maxFeePerGas,
    signedAtMs: nowMs,
    carriesIntent: intent !== null,
  };
};

/** A bare transfer costs 21,000; Arbitrum adds the price of the calldata on L1 as gas. */
const BURN_GAS = 150_000n;
/** What a node demands to replace a waiting transaction, with room. */
const BUMP_PERCENT = 130n;

/** Twice the base fee lasts through six full blocks in a row. */
export const feesFor = (baseFee: bigint, tip: bigint, cap: bigint): Fees => {
  const wanted = baseFee * 2n + tip;
  const maxFeePerGas = wanted > cap ? cap : wanted > 0n ? wanted : 1n;
  return { maxFeePerGas, maxPriorityFeePerGas: tip > maxFeePerGas ? maxFeePerGas : tip };
};

/** Fees that replace those of an earlier attempt; null when the cap does not allow it. */
export const bumpedFees = (previous: bigint, baseFee: bigint, tip: bigint, cap: bigint): Fees | null => {
  const fresh = feesFor(baseFee, tip, cap).maxFeePerGas;
  const least = (previous * BUMP_PERCENT) / 100n + 1n;
  const maxFeePerGas = fresh > least ? fresh : least;
  if (maxFeePerGas > cap) return null;
  return { maxFeePerGas, maxPriorityFeePerGas: (tip * BUMP_PERCENT) / 100n };
};

/** The gas limit that an attempt was signed with. */
export const gasLimitOf = (raw: string): bigint => Transaction.from(raw).gasLimit;
