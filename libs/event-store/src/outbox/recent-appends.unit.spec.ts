import { ManualClock } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import { added, note, range, shopCatalogue } from '../../test/shop.ts';
import { type AppendBatch, PreparedAppends } from '../append/batch.ts';
import type { StreamsGrown } from '../append/statements.ts';
import { RecentAppends, type Run } from './recent-appends.ts';

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

const grownBy = (tx: string, grown: Partial<StreamsGrown> = {}): StreamsGrown => ({
  ...{ tx, xmin: tx, txs: null, publicBases: null },
  ...grown,
});

const runOf = (tx: string, events: number, xmin = tx): Run => ({ tx, xmin, events });

const kept = (maxCharacters?: number): RecentAppends => {
  const recent = new RecentAppends(maxCharacters);
  recent.begin();
  return recent;
};

describe('recent appends', () => {
  it('give the public events once, in their order, as the streams were left by what came before', () => {
    const recent = kept();
    recent.note(batchOf('basket/a', 2), grownBy('7', { publicBases: [4] }));
    expect(recent.take(runOf('7', 2))).toEqual(
      [2, 3].map((version) => ({
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
    expect(recent.take(runOf('7', 2))).toBeNull();
  });

  it('give nothing where the rows are others: of another tx, of another xmin, or not as many', () => {
    const recent = kept();
    recent.note(batchOf('basket/a', 2), grownBy('7'));
    for (const other of [runOf('8', 2), runOf('7', 2, '8'), runOf('7', 1), runOf('7', 3)]) {
      expect(recent.take(other)).toBeNull();
    }
    expect(recent.take(runOf('7', 2))).toHaveLength(2);
  });

  it('give the events of several appends of a transaction as they came, each at the tx of its stream', () => {
    const recent = kept();
    recent.note(batchOf('basket/a', 2), grownBy('7'));
    recent.note(batchOf('basket/b', 1), grownBy('7', { txs: ['9'] }));
    recent.note(batchOf('basket/c', 1), grownBy('7', { txs: ['7'] }));
    expect(recent.take(runOf('7', 3))!.map(({ id }) => id)).toEqual([
      'basket/a@2',
      'basket/a@3',
      'basket/c@2',
    ]);
    expect(recent.take(runOf('9', 1, '7'))!.map(({ id }) => id)).toEqual(['basket/b@2']);
    expect(recent.empty).toBe(true);
  });

  it('give nothing of a tx under which several xmin stand: nobody knows in which order', () => {
    const recent = kept();
    for (const xmin of ['7', '8', '7']) recent.note(batchOf('basket/a', 1), grownBy('7', { xmin }));
    recent.note(batchOf('basket/a', 1), grownBy('9'));
    expect(recent.take(runOf('7', 1))).toBeNull();
    expect(recent.take(runOf('7', 1, '8'))).toBeNull();
    expect(recent.take(runOf('7', 2))).toBeNull();
    expect(recent.take(runOf('9', 1))).toHaveLength(1);
  });

  it('tell which transactions are the lowest, as many as have no more than so many events, and at least one', () => {
    const recent = kept();
    expect(recent.lowest(10)).toBeNull();
    for (const tx of ['10', '9', '100']) recent.note(batchOf('basket/a', 2), grownBy(tx));
    expect(recent.lowest(1)).toEqual({ upTo: '9', events: 2 });
    expect(recent.lowest(3)).toEqual({ upTo: '9', events: 2 });
    expect(recent.lowest(4)).toEqual({ upTo: '10', events: 4 });
    expect(recent.lowest(9)).toEqual({ upTo: '100', events: 6 });
  });

  it('forget what is kept of transactions that are behind, or of which something is published', () => {
    const recent = kept();
    for (const tx of ['9', '10', '8', '11']) recent.note(batchOf('basket/a', 1), grownBy(tx));
    recent.passed('10');
    for (const tx of ['8', '9', '10']) expect(recent.take(runOf(tx, 1))).toBeNull();
    expect(recent.take(runOf('11', 1))).toHaveLength(1);
  });

  it('give up the oldest beyond their bound, and do not keep what is larger than it', () => {
    const recent = kept(1_000);
    for (const tx of ['1', '2', '3']) recent.note(batchOf('basket/a', 1, 300), grownBy(tx));
    expect(recent.take(runOf('1', 1))).toBeNull();
    expect(recent.take(runOf('2', 1))).toHaveLength(1);
    recent.note(batchOf('basket/a', 2, 600), grownBy('4'));
    expect(recent.empty).toBe(true);
    recent.note(batchOf('basket/a', 1, 600), grownBy('5'));
    expect(recent.take(runOf('5', 1))).toHaveLength(1);
  });

  it('count what several appends of a transaction take, and no more when they are gone', () => {
    const recent = kept(1_000);
    for (let n = 0; n < 2; n += 1) recent.note(batchOf('basket/a', 1, 300), grownBy('1'));
    expect(recent.take(runOf('1', 2))).toHaveLength(2);
    for (let n = 0; n < 2; n += 1) recent.note(batchOf('basket/a', 1, 400), grownBy('2'));
    expect(recent.take(runOf('2', 2))).toHaveLength(2);
    for (let n = 0; n < 3; n += 1) recent.note(batchOf('basket/a', 1, 400), grownBy('3'));
    expect(recent.empty).toBe(true);
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
