import { ManualClock } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import { added, note, range, shopCatalogue } from '../../test/shop.ts';
import { type AppendBatch, PreparedAppends } from '../append/batch.ts';
import type { StreamsGrown } from '../append/statements.ts';
import { RecentAppends } from './recent-appends.ts';

const store = { context: 'shop', catalogue: shopCatalogue, clock: new ManualClock(1_000) };

/** An append of a private event and so many items, each of `length` characters. */
const batchOf = (streamId: string, items: number, length = 10): AppendBatch => {
  const prepared = new PreparedAppends(store);
  prepared.add({
    streamId,
    expectedVersion: 0,
    events: [note('private'), ...range(items).map(() => added('x'.repeat(length)))],
  });
  return prepared.batch()!;
};

const grownBy = (tx: string, publicBases: readonly number[] | null = null): StreamsGrown => ({
  ...{ tx, xmin: tx, txs: null, publicBases },
});

const kept = (maxCharacters?: number): RecentAppends => {
  const recent = new RecentAppends(maxCharacters);
  recent.begin();
  return recent;
};

describe('recent appends', () => {
  it('give the public events once, as the streams were left by what came before', () => {
    const recent = kept();
    recent.note(batchOf('basket/a', 2), grownBy('7', [4]));
    expect(recent.take(['7 basket/a@3', '7 basket/a@2'])).toEqual(
      [3, 2].map((version) => ({
        id: `basket/a@${version}`,
        streamId: 'basket/a',
        type: 'ItemAdded',
        schemaVersion: 1,
        json: '{"item":"xxxxxxxxxx","priceMicros":"1000000"}',
        traceparent: null,
        occurredAtMs: 1_000,
        sequence: `${version + 3}`,
      })),
    );
    expect(recent.empty).toBe(true);
    expect(recent.take(['7 basket/a@2'])).toBeNull();
  });

  it('give nothing where one of the rows is another: of another transaction, stream or version, or private', () => {
    const recent = kept();
    recent.note(batchOf('basket/a', 1), grownBy('7'));
    for (const other of ['8 basket/a@2', '7 basket/b@2', '7 basket/a@3', '7 basket/a@1', '7 mybasket/a@2']) {
      expect(recent.take([other])).toBeNull();
    }
    expect(recent.take(['7 basket/a@2', '7 basket/a@3'])).toBeNull();
  });

  it('give the events of several appends of a transaction, in whatever order they are there', () => {
    const recent = kept();
    for (const streamId of ['basket/a', 'basket/b']) recent.note(batchOf(streamId, 2), grownBy('7'));
    const asked = ['basket/b@3', 'basket/a@2', 'basket/b@2', 'basket/a@3'];
    expect(recent.take(asked.map((id) => `7 ${id}`))!.map(({ id }) => id)).toEqual(asked);
    expect(recent.empty).toBe(true);
  });

  it('forget what is kept of transactions that are behind', () => {
    const recent = kept();
    for (const tx of ['9', '10', '8']) recent.note(batchOf('basket/a', 1), grownBy(tx));
    recent.passed('10');
    expect(recent.take(['9 basket/a@2'])).toBeNull();
    expect(recent.take(['8 basket/a@2'])).toBeNull();
    expect(recent.take(['10 basket/a@2'])).toHaveLength(1);
  });

  it('give up the oldest beyond their bound, and do not keep what is larger than it', () => {
    const recent = kept(1_000);
    for (const tx of ['1', '2', '3']) recent.note(batchOf('basket/a', 1, 300), grownBy(tx));
    expect(recent.take(['1 basket/a@2'])).toBeNull();
    expect(recent.take(['2 basket/a@2'])).toHaveLength(1);
    recent.note(batchOf('basket/a', 2, 600), grownBy('4'));
    expect(recent.empty).toBe(true);
    recent.note(batchOf('basket/a', 1, 600), grownBy('5'));
    expect(recent.take(['5 basket/a@2'])).toHaveLength(1);
  });

  it('keep nothing before somebody relays, nothing of the time before, and nothing after', () => {
    const recent = new RecentAppends();
    const noted = (tx: string): void => recent.note(batchOf('basket/a', 1), grownBy(tx));
    noted('1');
    expect(recent.empty).toBe(true);
    recent.begin();
    noted('2');
    recent.begin();
    expect(recent.empty).toBe(true);
    noted('3');
    recent.end();
    noted('4');
    expect(recent.empty).toBe(true);
  });

  it('keep nothing of an append without public events', () => {
    const recent = kept();
    recent.note(batchOf('basket/a', 0), grownBy('1'));
    expect(recent.empty).toBe(true);
  });
});
