import type { Revert } from '@gridbourse/chain';
import type { Micros } from '@gridbourse/kernel';

/** What the contract's refusal means to the market. Amounts in its arguments are decimal strings of micros. */
export const fundingFailureOf = (
  revert: Revert,
): {
  cause: 'insufficient_escrow' | 'spending_limit' | 'rejected_by_contract' | 'chain_unavailable';
  detail: string;
  shortfallMicros: Micros;
} => {
  const gap = (needed: string | undefined, had: string | undefined): Micros =>
    needed === undefined || had === undefined ? 0n : BigInt(needed) - BigInt(had);
  const { code, args } = revert;
  const detail = revert.message.slice(0, 500);
  switch (code) {
    case 'InsufficientFree':
      return { cause: 'insufficient_escrow', detail, shortfallMicros: gap(args['needed'], args['free']) };
    case 'SpendingLimitExpired':
      return { cause: 'spending_limit', detail, shortfallMicros: 0n };
    case 'SpendingLimitExceeded':
      return { cause: 'spending_limit', detail, shortfallMicros: gap(args['locked'], args['maxLocked']) };
    case 'RateLimitExceeded':
      return {
        cause: 'spending_limit',
        detail,
        shortfallMicros: gap(args['ratePerHour'], args['maxRatePerHour']),
      };
    case 'NotARevert': // the node would not take it; the contract was never asked
      return { cause: 'chain_unavailable', detail, shortfallMicros: 0n };
    default:
      return { cause: 'rejected_by_contract', detail, shortfallMicros: 0n };
  }
};
