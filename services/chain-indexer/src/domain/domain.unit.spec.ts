import { describe, expect, it } from '@jest/globals';
import type { ChainLog } from '@gridbourse/events';
import fc from 'fast-check';
import type { FoundLog, Header, IndexedBlock, IndexedLog } from './block.ts';
import { eventsOf, haltedEvents } from './events.ts';
import { newFinal } from './finality.ts';
import { RangeSize } from './range-size.ts';
import { expectConsistent, suspects } from './trust.ts';

const hashOf = (number: number): string => `0x${number.toString(16).padStart(64, '0')}`;
const header = (number: number, fields: Partial<Header> = {}): Header => ({
  number,
  hash: hashOf(number),
  parentHash: hashOf(number - 1),
  timeMs: number * 1_000,
  transactions: [hashOf(9_000 + number)],
  mayHoldLogs: true,
  ...fields,
});
const found = (blockNumber: number, logIndex: number, fields: Partial<FoundLog> = {}): FoundLog => ({
  blockNumber,
  blockHash: hashOf(blockNumber),
  logIndex,
  txHash: hashOf(9_000 + blockNumber),
  meaning: null,
  ...fields,
});

describe('an answer of the node', () => {
  const headers = [header(5), header(6), header(7)];

  it('is believed when blocks and logs are one piece of one chain', () => {
    expect(() =>
      expectConsistent(5, 7, { headers, logs: [found(5, 0), found(5, 3), found(7, 0)] }),
    ).not.toThrow();
  });

  it.each([
    ['a block is missing', [header(5), header(7)], []],
    ['another block is in its place', [header(5), header(7), header(6)], []],
    [
      'a block is not the child of the one before',
      [header(5), header(6, { parentHash: hashOf(1) }), header(7)],
      [],
    ],
    ['a log is of another block of that number', headers, [found(6, 0, { blockHash: hashOf(60) })]],
    ['a log is of a transaction that is not in the block', headers, [found(6, 0, { txHash: hashOf(1) })]],
    ['a log was not asked for', headers, [found(8, 0)]],
    ['a log comes twice', headers, [found(6, 1), found(6, 1)]],
    [
      'the filter of the block excludes the log',
      [header(5), header(6, { mayHoldLogs: false }), header(7)],
      [found(6, 0)],
    ],
  ])('is not believed when %s', (_, given, logs) => {
    expect(() => expectConsistent(5, 7, { headers: given, logs })).toThrow(/do not fit/);
  });

  it('is suspect where the filter affirms logs and none came', () => {
    const segment = {
      headers: [header(5), header(6, { mayHoldLogs: false }), header(7)],
      logs: [found(7, 0)],
    };
    expect(suspects(segment).map(({ number }) => number)).toEqual([5]);
  });
});

describe('finality', () => {
  const blocks = (seen: readonly number[]): Map<number, IndexedBlock> =>
    new Map(seen.map((seenAtMs, index) => [index + 1, { ...header(index + 1), seenAtMs }]));
  const options = { now: 10_000, minAgeMs: 5_000, limit: 100 };
  const final = { number: 0, hash: hashOf(0) };

  it('needs the word of the chain and enough time in our sight', () => {
    const seen = blocks([1_000, 2_000, 6_000, 9_000]);
    expect(newFinal(final, { number: 4, hash: hashOf(4) }, seen, options).number).toBe(2);
    expect(newFinal(final, { number: 1, hash: hashOf(1) }, seen, options).number).toBe(1);
    expect(newFinal(final, null, seen, options)).toBe(final);
  });

  it('never goes back, never beyond the chain, never beyond what was taken in', () => {
    fc.assert(
      fc.property(
        fc.nat(50),
        fc.nat(60),
        fc.array(fc.nat(20_000), { maxLength: 40 }),
        fc.integer({ min: 1, max: 20 }),
        (from, finalized, seen, limit) => {
          const start = { number: from, hash: hashOf(from) };
          const next = newFinal(start, { number: finalized, hash: hashOf(finalized) }, blocks(seen), {
            ...options,
            limit,
          });
          expect(next.number).toBeGreaterThanOrEqual(from);
          expect(next.number).toBeLessThanOrEqual(
            Math.max(from, Math.min(finalized, seen.length, from + limit)),
          );
        },
      ),
    );
  });
});

describe('events of a movement', () => {
  const log = (contract: IndexedLog['contract'], blockNumber: number, logIndex: number): IndexedLog => ({
    contract,
    blockNumber,
    blockHash: hashOf(blockNumber),
    logIndex,
    txHash: hashOf(9_000 + blockNumber),
    blockTimeMs: 1,
    seenAtMs: 2,
    log: { name: 'Deposited', tenant: `0x${'1'.repeat(40)}`, amountMicros: 5n } satisfies ChainLog,
  });
  const places = (events: readonly object[]) =>
    (events as { type: string; blockNumber: number; logIndex: number }[]).map(
      ({ type, blockNumber, logIndex }) => `${type} ${blockNumber}/${logIndex}`,
    );

  it('undo the newest first, by contract', () => {
    const market = (block: number, index: number) => log('ComputeMarket', block, index);
    const events = eventsOf(1, {
      retracted: [market(3, 0), log('ProviderRegistry', 3, 1), market(3, 2), market(4, 0)],
      observed: [market(3, 5)],
      finalized: [market(1, 0), market(2, 0)],
    });
    expect(places(events.get('ComputeMarket')!)).toEqual([
      'ChainEventRetracted 4/0',
      'ChainEventRetracted 3/2',
      'ChainEventRetracted 3/0',
      'ChainEventObserved 3/5',
      'ChainEventFinalized 1/0',
      'ChainEventFinalized 2/0',
    ]);
    expect(places(events.get('ProviderRegistry')!)).toEqual(['ChainEventRetracted 3/1']);
  });

  it('tell of a halt to the readers of each contract', () => {
    const events = haltedEvents('x'.repeat(1_000), 7);
    expect([...events.keys()]).toEqual(['ComputeMarket', 'ProviderRegistry']);
    expect(events.get('ComputeMarket')).toEqual([
      { type: 'ChainHalted', contract: 'ComputeMarket', reason: 'x'.repeat(500), atMs: 7 },
    ]);
  });
});

describe('the size of a range', () => {
  it('halves on failure down to one block, and grows back slowly up to the most', () => {
    const range = new RangeSize(100);
    for (let i = 0; i < 3; i += 1) range.failed();
    expect(range.blocks).toBe(12);
    for (let i = 0; i < 20; i += 1) range.failed();
    expect(range.blocks).toBe(1);
    range.succeeded();
    expect(range.blocks).toBe(2);
    for (let i = 0; i < 100; i += 1) range.succeeded();
    expect(range.blocks).toBe(100);
  });
});
