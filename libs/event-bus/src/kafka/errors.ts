type Known = { readonly type?: unknown; readonly code?: unknown; readonly cause?: unknown };

/** The protocol's name of what went wrong (`UNKNOWN_MEMBER_ID`), through kafkajs's wrappers; null when it is none. */
export const protocolError = (error: unknown, depth = 0): string | null => {
  if (!(error instanceof Error) || depth > 5) return null;
  const { type, cause } = error as Known;
  return typeof type === 'string' ? type : protocolError(cause, depth + 1);
};

/** The broker will not take the request, however often it is sent. */
const REFUSED = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_TOPIC_EXCEPTION',
  'INVALID_RECORD',
  'TOPIC_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'UNSUPPORTED_FOR_MESSAGE_FORMAT',
  'INVALID_REQUIRED_ACKS',
]);

export const isRefused = (error: unknown): boolean => REFUSED.has(protocolError(error) ?? '');

/** The group goes on without this member, or is about to be formed anew. */
const NOT_A_MEMBER = new Set([
  'UNKNOWN_MEMBER_ID',
  'ILLEGAL_GENERATION',
  'REBALANCE_IN_PROGRESS',
  'FENCED_INSTANCE_ID',
]);

export const isNotAMember = (error: unknown): boolean => NOT_A_MEMBER.has(protocolError(error) ?? '');

/** The broker and the producer do not agree on its numbers any more: only a new producer can go on. */
const LOST_COUNT = new Set([
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'DUPLICATE_SEQUENCE_NUMBER',
  'UNKNOWN_PRODUCER_ID',
  'INVALID_PRODUCER_EPOCH',
  'INVALID_PRODUCER_ID_MAPPING',
]);

export const hasLostCount = (error: unknown): boolean => LOST_COUNT.has(protocolError(error) ?? '');
