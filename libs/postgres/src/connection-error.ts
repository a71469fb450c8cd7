const AWAY_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENOTFOUND',
  '08000', // connection_exception
  '08001',
  '08003',
  '08004',
  '08006',
  '53300', // too_many_connections
  '57P01', // admin_shutdown
  '57P02', // crash_shutdown
  '57P03', // cannot_connect_now
  '57P05', // idle_session_timeout
  '25P03', // idle_in_transaction_session_timeout
]);

/** Messages of pg and pg-pool that come without a code. */
const AWAY_MESSAGES =
  /Connection terminated|timeout exceeded when trying to connect|connection error and is not queryable|Client was closed|Query runner already released|Cannot use a pool after calling end/i;

/**
 * True for the errors of pg and TypeORM that say "the database is not there", and nothing about what was asked of it.
 * Looks through wrappers (`driverError`, `cause`).
 */
export const isConnectionError = (error: unknown, depth = 0): boolean => {
  if (!(error instanceof Error) || depth > 4) return false;
  const { code, driverError } = error as { code?: unknown; driverError?: unknown };
  if (typeof code === 'string' && AWAY_CODES.has(code)) return true;
  if (AWAY_MESSAGES.test(error.message)) return true;
  if (error instanceof AggregateError) return error.errors.some((e) => isConnectionError(e, depth + 1));
  return isConnectionError(driverError, depth + 1) || isConnectionError(error.cause, depth + 1);
};
