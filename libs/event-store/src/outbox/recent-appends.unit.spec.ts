import { ManualClock } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import { added, note, range, shopCatalogue, type ShopEvent } from '../../test/shop.ts';
import { type AppendBatch, PreparedAppends } from '../append/batch.ts';
import type { Append } from '../event-store.ts';
import { type RecentAppend, RecentAppends } from './recent-appends.ts';

const store = { context: 'shop', catalogue: shopCatalogue, clock: new ManualClock(1_000) };

const batchOf = (append: Append<ShopEvent>): AppendBatch => {
  const prepared = new PreparedAppends(store);
  prepared.add(append);
  return prepared.batch()!;
};

/** An append of so many items, each of `length` characters. */
const appendOf = (tx: string, items: number, length = 10): RecentAppend => ({
  batch: batchOf({
    streamId: `basket/${tx}`,
    expectedVersion: 0,
    events: [note('private'), ...range(items).map(() => added('x'.repeat(length)))],
  }),
  tx,
  txs: null,
  publicBases: null,
});

const kept = (maxCharacters?: number): RecentAppends => {
  const recent = new RecentAppends(maxCharacters);
  recent.begin();
  return recent;
};

describe('recent appends', () => {
  it('give the public events of a transaction once, as the streams were left by what came before', () => {
    const recent = kept();
    recent.note({ ...appendOf('7', 2), publicBases: [4] });
    expect(recent.take('7', 2)).toEqual(
      [2, 3].map((version) => ({
        streamId: 'basket/7',
        version: `${version}`,
        type: 'ItemAdded',
        schemaVersion: 1,
        json: '{"item":"xxxxxxxxxx","priceMicros":"1000000"}',
        traceparent: null,
        occurredAtMs: 1_000,
        sequence: `${version + 3}`,
      })),
    );
    expect(recent.take('7', 2)).toBeNull();
  });

  it('give nothing of a transaction of which more or fewer are there, nor of those before one that was asked for', () => {
    const recent = kept();
    for (const tx of ['8', '9', '10']) recent.note(appendOf(tx, 2));
    expect(recent.take('9', 1)).toBeNull();
    expect(recent.take('8', 2)).toBeNull();
    expect(recent.take('10', 2)).toHaveLength(2);
    expect(recent.empty).toBe(true);
  });

  it('leave out events that have the tx of another transaction', () => {
    const recent = kept();
    recent.note({ ...appendOf('7', 2), txs: ['9'] });
    expect(recent.take('7', 0)).toEqual([]);
  });

  it('give up the oldest beyond their bound, and do not keep what is larger than it', () => {
    const recent = kept(1_000);
    for (const tx of ['1', '2', '3']) recent.note(appendOf(tx, 1, 300));
    expect(recent.take('1', 1)).toBeNull();
    expect(recent.take('2', 1)).toHaveLength(1);
    recent.note(appendOf('4', 2, 600));
    expect(recent.empty).toBe(true);
    recent.note(appendOf('5', 1, 600));
    expect(recent.take('5', 1)).toHaveLength(1);
  });

  it('keep nothing before somebody relays, nothing of the time before, and nothing after', () => {
    const recent = new RecentAppends();
    recent.note(appendOf('1', 1));
    expect(recent.empty).toBe(true);
    recent.begin();
    recent.note(appendOf('1', 1));
    recent.begin();
    expect(recent.empty).toBe(true);
    recent.note(appendOf('1', 1));
    recent.end();
    recent.note(appendOf('2', 1));
    expect(recent.empty).toBe(true);
  });
});
