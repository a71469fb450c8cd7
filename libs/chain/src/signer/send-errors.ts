import { isRpcUnavailable, RpcError } from '../json-rpc.ts';

/**
 * What a failed `eth_sendRawTransaction` means:
 * - `known`: the node has it already
 * - `used`: the nonce is used up: by this transaction, or by another one
 * - `gap`: an earlier nonce is missing
 * - `underpriced`: the fee is below what the chain asks now
 * - `contended`: another transaction waits under the same nonce
 * - `unfunded`: the key has no ether for it
 * - `unclear`: no answer, or the node is unwell: it may have been accepted
 * - `refused`: the node understood, and will never take these bytes
 * - `puzzling`: an answer in words that we do not know: most likely a refusal, perhaps only for now
 */
export type SendFailure =
  'known' | 'used' | 'gap' | 'underpriced' | 'contended' | 'unfunded' | 'unclear' | 'refused' | 'puzzling';

/** Words of geth, nitro, reth and anvil. First match counts. */
const WORDS: readonly (readonly [RegExp, SendFailure])[] = [
  [/already known|already imported|known transaction/i, 'known'],
  [/nonce too low|nonce is too low|old nonce|invalid nonce; got.*expected/i, 'used'],
  [/nonce too high|nonce gap|gapped/i, 'gap'],
  [/replacement transaction underpriced/i, 'contended'],
  [
    /underpriced|less than block base fee|max fee per gas less|fee cap too low|feecap too low|basefee/i,
    'underpriced',
  ],
  [/insufficient funds|insufficient balance/i, 'unfunded'],
  [
    /deadline|timeout|timed out|too many|rate limit|busy|overloaded|unavailable|internal error|txpool is full/i,
    'unclear',
  ],
  [
    /intrinsic gas|gas limit|oversized|too large|invalid sender|invalid signature|chain ?id|rlp|not supported|invalid transaction/i,
    'refused',
  ],
];

/** JSON-RPC: the node's own trouble, or a limit of its operator. */
const UNCLEAR_CODES = new Set([-32_603, -32_005, -32_016, 429]);

export const classifySendError = (error: unknown): SendFailure => {
  if (!(error instanceof RpcError)) {
    if (isRpcUnavailable(error)) return 'unclear';
    throw error;
  }
  for (const [words, failure] of WORDS) if (words.test(error.message)) return failure;
  return UNCLEAR_CODES.has(error.code) ? 'unclear' : 'puzzling';
};

const INVALID_PARAMS = -32_602;

/**
 * What a failed `eth_estimateGas` means: `reverts` (the contract would refuse it now), `malformed` (it can never be
 * sent), or `unclear` (ask again).
 */
export const classifyEstimateError = (error: RpcError): 'reverts' | 'malformed' | 'unclear' => {
  if (error.code === 3 || /revert|invalid opcode|out of gas/i.test(error.message)) return 'reverts';
  return error.code === INVALID_PARAMS ? 'malformed' : 'unclear';
};
