import { type Rpc, RpcError } from '../json-rpc.ts';
import { explainRevert, type Revert } from '../reverts.ts';
import type { Receipt } from './chain-view.ts';
import { gasLimitOf } from './sign.ts';
import type { Slot } from './slot.ts';
import type { TxOutcome } from './types.ts';

/** What the receipt means for the intent of its nonce; null where the nonce has none. */
export const outcomeOf = async (
  slot: Slot,
  receipt: Receipt,
  options: { rpc: Rpc; from: string; nowMs: number },
): Promise<TxOutcome | null> => {
  const { intent } = slot;
  if (!intent) return null;
  const attempt = slot.attempts.find((one) => one.hash === receipt.hash)!;
  const confirmedAtMs = options.nowMs;
  if (!attempt.carriesIntent) {
    const error = slot.poison ?? { code: 'Refused', message: 'the node refused the transaction', args: {} };
    return { id: intent.id, status: 'rejected', txHash: null, confirmedAtMs, error };
  }
  const mined = {
    id: intent.id,
    txHash: receipt.hash,
    gasUsed: receipt.gasUsed,
    gasPrice: receipt.gasPrice,
    blockNumber: receipt.blockNumber,
    submittedAtMs: slot.firstSentAtMs ?? attempt.signedAtMs,
    confirmedAtMs,
  };
  if (receipt.succeeded) return { ...mined, status: 'confirmed' };
  const call = { from: options.from, to: intent.to, data: intent.data };
  return { ...mined, status: 'reverted', error: await whyReverted(options.rpc, call, attempt.raw, receipt) };
};

/** Asks for the same call on the state after its block, which mostly fails alike. */
const whyReverted = async (
  rpc: Rpc,
  call: { from: string; to: string; data: string },
  raw: string,
  receipt: Receipt,
): Promise<Revert> => {
  if (receipt.gasUsed === gasLimitOf(raw)) {
    return { code: 'OutOfGas', message: `used up its gas limit of ${receipt.gasUsed}`, args: {} };
  }
  const [answer] = await rpc.batch([['eth_call', [call, `0x${receipt.blockNumber.toString(16)}`]]]);
  const revert = answer instanceof RpcError ? explainRevert(answer) : null;
  if (revert && revert.code !== 'NotARevert') return revert;
  return { code: 'Reverted', message: 'reverted in its block; the reason can no longer be seen', args: {} };
};

/** Why an intent is refused before it gets a nonce. */
export const refusalOf = (error: RpcError, meaning: 'reverts' | 'malformed'): Revert => {
  const revert = explainRevert(error);
  if (revert.code !== 'NotARevert') return revert;
  return { ...revert, code: meaning === 'malformed' ? 'Malformed' : 'Reverted' };
};
