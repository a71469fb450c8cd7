import { devKey } from '@gridbourse/infra';
import { describe, expect, it } from '@jest/globals';
import { DomainError } from '@gridbourse/kernel';
import fc from 'fast-check';
import { encodeCloseLease, encodeOpenLease, encodeSettleBatch } from './calldata.ts';
import { interfaces } from './contracts.ts';
import type { Deployment } from './deployment.ts';
import { RpcError, rpcUnavailable } from './json-rpc.ts';
import { chainLeaseKey, leaseRefOf, splitLeaseKey } from './lease-key.ts';
import { decodeContractLog, indexedContracts } from './logs.ts';
import { explainRevert } from './reverts.ts';
import { packBatch, unpackResults } from './settlement-batch.ts';

const anyProvider = fc.integer({ min: 1, max: 0xffff_ffff });
const anySerial = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const anyAmount = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n });
const hex = (value: bigint | number, bytes: number): string => value.toString(16).padStart(bytes * 2, '0');

describe('lease keys', () => {
  it('hold provider and serial, and give them back', () => {
    fc.assert(
      fc.property(anyProvider, anySerial, (chainProviderId, serial) => {
        const key = chainLeaseKey(chainProviderId, serial);
        expect(key).toMatch(/^0x[0-9a-f]{24}$/);
        expect(splitLeaseKey(key)).toEqual({ chainProviderId, serial });
      }),
    );
  });

  it.each([
    [0, 1n],
    [2 ** 32, 1n],
    [1.5, 1n],
    [1, -1n],
    [1, 2n ** 64n],
  ])('cannot hold provider %p with serial %p', (chainProviderId, serial) => {
    expect(() => chainLeaseKey(chainProviderId, serial)).toThrow(DomainError);
  });

  it('are read strictly', () => {
    for (const key of ['', '0x1', chainLeaseKey(1, 1n).toUpperCase(), `${chainLeaseKey(1, 1n)}0`]) {
      expect(() => splitLeaseKey(key)).toThrow(/not a lease key/);
    }
  });

  it('stand beside a reference that is the keccak of the lease id', () => {
    // keccak256("abc"), from the Keccak team's test vectors.
    expect(leaseRefOf('abc')).toBe('0x4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45');
  });
});

describe('settlement batches', () => {
  it('come back as the contract would report them, each row once, whatever the order of providers', () => {
    const anyRow = fc.record({
      provider: fc.integer({ min: 1, max: 4 }),
      serial: anySerial,
      cumulative: anyAmount,
      paid: anyAmount,
      reason: fc.integer({ min: 0, max: 5 }),
    });
    fc.assert(
      fc.property(fc.array(anyRow, { minLength: 1, maxLength: 40 }), (given) => {
        const rows = given.map((row) => ({
          leaseKey: chainLeaseKey(row.provider, row.serial),
          cumulativeMicros: row.cumulative,
        }));
        const packed = packBatch(rows);
        expect((packed.length - 2) / 2).toBe(
          rows.length * 16 + new Set(given.map((row) => row.provider)).size * 6,
        );
        // What the contract does to a batch, in a few lines: each row gets a result.
        const results = new Map(
          given.map((row) => [hex(row.provider, 4) + hex(row.serial, 8) + hex(row.cumulative, 8), row]),
        );
        let at = 2;
        let out = '0x';
        while (at < packed.length) {
          const header = packed.slice(at, at + 12);
          out += header;
          at += 12;
          for (let left = Number.parseInt(header.slice(8), 16); left > 0; left -= 1, at += 32) {
            const row = packed.slice(at, at + 32);
            const { paid, reason } = results.get(header.slice(0, 8) + row)!;
            out += row + hex(reason === 0 ? paid : (1n << 63n) | BigInt(reason), 8);
          }
        }
        const { rows: paid, skipped } = unpackResults(out);
        const places = [...paid, ...skipped].map((row) => row.leaseKey);
        expect(places.sort()).toEqual(rows.map((row) => row.leaseKey).sort());
      }),
    );
  });

  it('are refused when empty, or with an amount that does not fit', () => {
    expect(() => packBatch([])).toThrow(/at least one row/);
    const leaseKey = chainLeaseKey(1, 1n);
    expect(() => packBatch([{ leaseKey, cumulativeMicros: -1n }])).toThrow(/do not fit/);
    expect(() => packBatch([{ leaseKey, cumulativeMicros: 2n ** 64n }])).toThrow(/do not fit/);
  });

  it('whose results are cut off are not read', () => {
    expect(() => unpackResults('0x0000')).toThrow(/cannot be read/);
    expect(() => unpackResults(`0x${hex(1, 4)}${hex(2, 2)}${'00'.repeat(24)}`)).toThrow(/cannot be read/);
  });
});

describe('calldata', () => {
  it('says what the contract reads', () => {
    const leaseKey = chainLeaseKey(3, 9n);
    const tenant = devKey(1).address;
    const leaseRef = leaseRefOf('lea_1');
    const open = encodeOpenLease({ leaseKey, tenant, rateMicrosPerHour: 7n, durationSeconds: 60, leaseRef });
    const [key, who, rate, duration, ref] = interfaces.ComputeMarket.decodeFunctionData(
      'openLease',
      open,
    ) as unknown as [bigint, string, bigint, bigint, string];
    expect([key, who.toLowerCase(), rate, duration, ref]).toEqual([
      BigInt(leaseKey),
      tenant,
      7n,
      60n,
      leaseRef,
    ]);
    const close = interfaces.ComputeMarket.decodeFunctionData('closeLease', encodeCloseLease(leaseKey, 5n));
    expect([...close]).toEqual([BigInt(leaseKey), 5n]);
    const settle = interfaces.ComputeMarket.decodeFunctionData(
      'settleBatch',
      encodeSettleBatch([{ leaseKey, cumulativeMicros: 5n }]),
    );
    expect(settle[0]).toBe(`0x${hex(3, 4)}${hex(1, 2)}${hex(9, 8)}${hex(5, 8)}`);
  });

  it.each([0, -1, 1.5, 2 ** 32])('refuses a duration of %p s', (durationSeconds) => {
    const lease = {
      leaseKey: chainLeaseKey(1, 1n),
      tenant: devKey(1).address,
      rateMicrosPerHour: 1n,
      leaseRef: leaseRefOf('x'),
    };
    expect(() => encodeOpenLease({ ...lease, durationSeconds })).toThrow(/do not fit/);
  });
});

describe('reverts', () => {
  const data = interfaces.ComputeMarket.encodeErrorResult('LeaseNotOpen', [5n]);

  it('are found wherever the data is', () => {
    for (const error of [
      data,
      { data },
      { error: { data } },
      { info: { error: { data } } },
      new RpcError('eth_call', { code: 3, message: 'x', data }),
    ]) {
      expect(explainRevert(error)).toEqual({
        code: 'LeaseNotOpen',
        message: 'LeaseNotOpen: leaseKey 5',
        args: { leaseKey: '5' },
      });
    }
  });

  it('of the token, of require and of the machine are named too', () => {
    const token = interfaces.TestUSDC.encodeErrorResult('ERC20InsufficientBalance', [
      devKey(1).address,
      1n,
      2n,
    ]);
    expect(explainRevert(token).code).toBe('ERC20InsufficientBalance');
    expect(
      explainRevert('0x4e487b710000000000000000000000000000000000000000000000000000000000000011').code,
    ).toBe('Panic');
    expect(explainRevert('0xdeadbeef')).toMatchObject({ code: 'UnknownRevert' });
    expect(explainRevert(rpcUnavailable('eth_call', new Error('gone')))).toMatchObject({
      code: 'NotARevert',
    });
    expect(explainRevert(null)).toMatchObject({ code: 'NotARevert' });
  });
});

describe('logs', () => {
  const deployment: Deployment = {
    chainId: 1,
    deployBlock: 1,
    contracts: {
      ComputeMarket: `0x${'a'.repeat(40)}`,
      ProviderRegistry: `0x${'b'.repeat(40)}`,
      TestUSDC: `0x${'c'.repeat(40)}`,
    },
  };
  const raw = (contract: string, event: 'Paused' | 'Deposited', values: unknown[]) => {
    const encoded = interfaces.ComputeMarket.encodeEventLog(event, values);
    return { address: contract, topics: encoded.topics, data: encoded.data };
  };
  const deposited = raw(deployment.contracts.ComputeMarket, 'Deposited', [devKey(1).address, 5n]);

  it('of other contracts, and of events that nobody follows, say nothing', () => {
    expect(
      decodeContractLog(deployment, { ...deposited, address: deployment.contracts.TestUSDC }),
    ).toBeNull();
    expect(
      decodeContractLog(deployment, raw(deployment.contracts.ComputeMarket, 'Paused', [devKey(1).address])),
    ).toBeNull();
  });

  it('of ours are followed or passed over, whichever of its events a contract emits', () => {
    const followed = indexedContracts.flatMap((contract) => {
      const names: string[] = [];
      interfaces[contract].forEachEvent(({ name, topicHash }) => {
        const empty = { address: deployment.contracts[contract], topics: [topicHash], data: '0x' };
        try {
          expect(decodeContractLog(deployment, empty)).toBeNull();
        } catch {
          names.push(name); // looked into, and found to lack everything
        }
      });
      return names;
    });
    expect(followed.sort()).toEqual([
      'BatchSettled',
      'Deposited',
      'EarningsClaimed',
      'LeaseClosed',
      'LeaseExtended',
      'LeaseOpened',
      'LeaseStopped',
      'ProviderRegistered',
      'SpendingLimitSet',
      'StakeChanged',
      'Withdrawn',
    ]);
  });

  it('of ours that cannot be read are an error and no silence', () => {
    expect(decodeContractLog(deployment, deposited)?.log).toEqual({
      name: 'Deposited',
      tenant: devKey(1).address,
      amountMicros: 5n,
    });
    expect(() => decodeContractLog(deployment, { ...deposited, data: '0x' })).toThrow(/cannot be read/);
    expect(() => decodeContractLog(deployment, { ...deposited, topics: [`0x${'1'.repeat(64)}`] })).toThrow(
      /cannot be read/,
    );
  });
});
