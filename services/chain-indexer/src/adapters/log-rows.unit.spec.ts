import { describe, expect, it } from '@jest/globals';
import { type LogRow, logOf } from './log-rows.ts';

const hash = (digit: string): string => `0x${digit.repeat(64)}`;
const tenant = `0x${'a'.repeat(40)}`;
const deposited = { name: 'Deposited', tenant, amountMicros: '5' };
const stopped = {
  name: 'LeaseStopped',
  ...{ leaseKey: `0x${'1'.repeat(24)}`, tenant, by: tenant, chainProviderId: 1 },
  ...{ endsAtSeconds: 7, lockMicros: '1', refundedMicros: '2' },
};

const row = (log: object, version: number): LogRow => ({
  ...{ chain_id: '31337', block_hash: hash('1'), log_index: 3, block_number: '7', contract: 'ComputeMarket' },
  ...{ tx_hash: hash('2'), block_time_ms: '1000', seen_at_ms: '2000', schema_version: version, log },
});

describe('a row of the index', () => {
  it('is read in the version that it was written in, as a log of today', () => {
    const today = logOf(row(deposited, 2));
    expect(today).toEqual({
      ...{ contract: 'ComputeMarket', blockNumber: 7, blockHash: hash('1'), logIndex: 3, txHash: hash('2') },
      ...{ blockTimeMs: 1_000, seenAtMs: 2_000, log: { ...deposited, amountMicros: 5n } },
    });
    expect(logOf(row(deposited, 1))).toEqual(today);
    expect(logOf(row(stopped, 2)).log.name).toBe('LeaseStopped');
  });

  it('is judged by the version beside it', () => {
    expect(() => logOf(row(stopped, 1))).toThrow('does not fit'); // version 1 knew no stopped leases
    expect(() => logOf(row(deposited, 3))).toThrow('schema version 3');
  });
});
