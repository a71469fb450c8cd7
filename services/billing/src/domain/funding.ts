import { formatUsdc, type Instant, maxMicros, type Micros } from '@gridbourse/kernel';

/** What a tenant allowed the market to spend, as set on chain. */
export type SpendingLimit = {
  readonly maxRateMicrosPerHour: Micros;
  readonly maxLockedMicros: Micros;
  readonly validUntilSeconds: number;
};

export type FundingRequest = {
  readonly rateMicrosPerHour: Micros;
  readonly lockMicros: Micros;
  readonly freeMicros: Micros;
  /** Locks of leases that are on their way to the chain: spoken for, and not yet taken from free. */
  readonly reservedMicros: Micros;
  /** Sums over the tenant's other leases, open or on their way, as they were agreed: the contract counts the same. */
  readonly openRateMicrosPerHour: Micros;
  readonly openLocksMicros: Micros;
  /** Null: the tenant never consented to leases being opened in its name. */
  readonly limit: SpendingLimit | null;
  readonly now: Instant;
};

export type FundingRefusal = {
  readonly cause: 'insufficient_escrow' | 'spending_limit';
  readonly detail: string;
  /** What is missing in escrow, or by how much the limit is exceeded (0 where there is none or it has expired). */
  readonly shortfallMicros: Micros;
};

const overLimit = (request: FundingRequest, limit: SpendingLimit): FundingRefusal | null => {
  const cause = 'spending_limit';
  if (request.now > (limit.validUntilSeconds + 1) * 1_000 - 1) {
    return { cause, detail: 'the spending limit on chain has expired', shortfallMicros: 0n };
  }
  const rate = request.openRateMicrosPerHour + request.rateMicrosPerHour;
  if (rate > limit.maxRateMicrosPerHour) {
    const detail = `open leases would cost ${formatUsdc(rate)} USDC an hour, above the limit of ${formatUsdc(limit.maxRateMicrosPerHour)}`;
    return { cause, detail, shortfallMicros: rate - limit.maxRateMicrosPerHour };
  }
  const locks = request.openLocksMicros + request.lockMicros;
  if (locks > limit.maxLockedMicros) {
    const detail = `${formatUsdc(locks)} USDC would be locked, above the limit of ${formatUsdc(limit.maxLockedMicros)}`;
    return { cause, detail, shortfallMicros: locks - limit.maxLockedMicros };
  }
  return null;
};

/** Why the contract would refuse to open the lease now; null when nothing speaks against trying. */
export const refuseFunding = (request: FundingRequest): FundingRefusal | null => {
  const available = maxMicros(0n, request.freeMicros - request.reservedMicros);
  if (available < request.lockMicros) {
    return {
      cause: 'insufficient_escrow',
      detail: `${formatUsdc(request.lockMicros)} USDC are to be locked, ${formatUsdc(available)} are free`,
      shortfallMicros: request.lockMicros - available,
    };
  }
  if (request.limit === null) {
    const detail = 'the tenant has set no spending limit on chain (setSpendingLimit)';
    return { cause: 'spending_limit', detail, shortfallMicros: 0n };
  }
  return overLimit(request, request.limit);
};
