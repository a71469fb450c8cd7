import { DomainError } from '@gridbourse/kernel';
import type { ChainLog } from '@gridbourse/events';
import { chainLeaseKey, splitLeaseKey } from './lease-key.ts';

/**
 * The packed forms of ComputeMarket.settleBatch and its event: groups of provider id (4 bytes), row count (2), rows.
 * A row in: serial (8), cumulative amount (8). A row out: the same and its result (8).
 */
export type SettlementRow = { readonly leaseKey: string; readonly cumulativeMicros: bigint };
export type SettledRows = Pick<Extract<ChainLog, { name: 'LeasesSettled' }>, 'rows' | 'skipped'>;

const HEADER_BYTES = 6;
const RESULT_ROW_BYTES = 24;
const MAX_GROUP_ROWS = 0xffff;
const MAX_UINT64 = 2n ** 64n - 1n;
const SKIPPED_FLAG = 1n << 63n;

const SKIP_REASONS: Readonly<Record<number, string>> = {
  1: 'unknown_lease',
  2: 'closed_lease',
  3: 'already_settled',
  4: 'more_than_lock',
  5: 'more_than_earned',
};

const hex = (value: bigint | number, bytes: number): string => value.toString(16).padStart(bytes * 2, '0');

/**
 * Groups rows by provider (the contract credits a provider once a group) and packs them. Rows of one provider keep
 * their order.
 * @throws DomainError `empty_batch`, `invalid_amount`, `invalid_lease_key`
 */
export const packBatch = (rows: readonly SettlementRow[]): string => {
  if (rows.length === 0) throw new DomainError('invalid', 'empty_batch', 'a batch has at least one row');
  const groups = new Map<number, string[]>();
  for (const { leaseKey, cumulativeMicros } of rows) {
    if (cumulativeMicros < 0n || cumulativeMicros > MAX_UINT64) {
      throw new DomainError(
        'invalid',
        'invalid_amount',
        `${cumulativeMicros} micros do not fit the contract`,
      );
    }
    const { chainProviderId, serial } = splitLeaseKey(leaseKey);
    const packed = hex(serial, 8) + hex(cumulativeMicros, 8);
    const group = groups.get(chainProviderId);
    if (group) group.push(packed);
    else groups.set(chainProviderId, [packed]);
  }
  let batch = '0x';
  for (const [chainProviderId, packed] of groups) {
    for (let from = 0; from < packed.length; from += MAX_GROUP_ROWS) {
      const part = packed.slice(from, from + MAX_GROUP_ROWS);
      batch += hex(chainProviderId, 4) + hex(part.length, 2) + part.join('');
    }
  }
  return batch;
};

/** @throws DomainError `malformed_batch` for bytes that the contract cannot have written. */
export const unpackResults = (packed: string): SettledRows => {
  const bytes = Buffer.from(packed.slice(2), 'hex');
  const settled: SettledRows = { rows: [], skipped: [] };
  let offset = 0;
  while (offset < bytes.length) {
    if (bytes.length - offset < HEADER_BYTES) throw malformed();
    const chainProviderId = bytes.readUInt32BE(offset);
    const count = bytes.readUInt16BE(offset + 4);
    offset += HEADER_BYTES;
    if (count * RESULT_ROW_BYTES > bytes.length - offset) throw malformed();
    for (let row = 0; row < count; row += 1, offset += RESULT_ROW_BYTES) {
      const leaseKey = chainLeaseKeyOf(chainProviderId, bytes.readBigUInt64BE(offset));
      const cumulativeMicros = bytes.readBigUInt64BE(offset + 8);
      const result = bytes.readBigUInt64BE(offset + 16);
      if (result < SKIPPED_FLAG) {
        settled.rows.push({ leaseKey, paidMicros: result, settledMicros: cumulativeMicros });
      } else {
        const reason = SKIP_REASONS[Number(result & 0xffn)] ?? 'unknown_reason';
        settled.skipped.push({ leaseKey, cumulativeMicros, reason });
      }
    }
  }
  return settled;
};

/** Rows may name provider 0, which no lease has; they are reported as skipped, so their key must be writable. */
const chainLeaseKeyOf = (chainProviderId: number, serial: bigint): string =>
  chainProviderId === 0 ? `0x${hex(0, 4)}${hex(serial, 8)}` : chainLeaseKey(chainProviderId, serial);

const malformed = (): DomainError =>
  new DomainError('internal', 'malformed_batch', 'the results of a settlement batch cannot be read');
