import { describe, expect, it } from '@jest/globals';
import { Bench } from '../../../test/bench.ts';
import {
  group,
  idOf,
  offerPublished,
  policies,
  readyProvider,
  service,
  submission,
} from '../../../test/builders.ts';
import { inFairOrder, rematch } from './rematch.ts';
import { cancelOrder } from './tenant.ts';

const want = (word: string, account: string) =>
  submission(word, [group('g', [service('s')])], { accountId: idOf('account', account) });

describe('the queue of those who wait', () => {
  it('is first come, first served, but one tenant’s many do not shut out another’s one', () => {
    const bench = new Bench();
    for (const word of ['1', '2', '3']) {
      bench.submit(want(word, 'greedy'));
      bench.circumstances.now += 1_000;
    }
    bench.submit(want('modest', 'modest'));
    const order = inFairOrder(bench.exchange.waitingOrders()).map(({ requestHash }) => requestHash);
    expect(order).toEqual(['1', 'modest', '2', '3']);
  });

  it('counts the machines that a tenant has already', () => {
    const bench = new Bench();
    bench.market(...readyProvider('p'), offerPublished('p', 'o', { nodes: [{ gpus: 2 }] }));
    for (const word of ['1', '2', '3']) bench.submit(want(word, 'greedy'));
    bench.circumstances.now += 50_000;
    bench.submit(want('modest', 'modest'));
    expect(bench.exchange.waitingOrders()).toHaveLength(2);
    bench.run((unit) => cancelOrder(unit, idOf('account', 'greedy'), idOf('order', '1')));
    bench.rematch();
    expect(bench.order(idOf('order', '3')).state).toBe('matched');
    bench.submit(want('4', 'greedy'));
    bench.submit(want('5', 'greedy'));
    bench.circumstances.now += 20_000;
    bench.submit(want('late', 'third'));
    bench.run((unit) => cancelOrder(unit, idOf('account', 'greedy'), idOf('order', '2')));
    bench.rematch();
    expect(bench.order(idOf('order', 'modest')).state).toBe('matched');
    bench.run((unit) => cancelOrder(unit, idOf('account', 'modest'), idOf('order', 'modest')));
    bench.rematch();
    expect(bench.order(idOf('order', 'late')).state).toBe('matched');
    expect(bench.order(idOf('order', '4')).state).toBe('unmatched');
    bench.run((unit) => cancelOrder(unit, idOf('account', 'greedy'), idOf('order', '3')));
    bench.rematch();
    expect(bench.order(idOf('order', '4')).state).toBe('matched');
    expect(bench.order(idOf('order', '5')).state).toBe('unmatched');
  });

  it('lets age win in the end', () => {
    const bench = new Bench();
    bench.submit(want('1', 'greedy'));
    bench.submit(want('2', 'greedy'));
    bench.circumstances.now += 3_600_000 - 1;
    bench.submit(want('newcomer', 'modest'));
    const order = inFairOrder(bench.exchange.waitingOrders()).map(({ requestHash }) => requestHash);
    expect(order.at(-1)).toBe('newcomer');
  });

  it('is tried in rounds of a few, and everybody’s turn comes', () => {
    const bench = new Bench();
    Object.assign(bench.circumstances, { policies: { ...policies, rematchAtOnce: 2 } });
    for (const word of ['1', '2', '3', '4', '5']) bench.submit(want(word, word));
    bench.rematch();
    bench.market(...readyProvider('p'), offerPublished('p', 'o', { nodes: [{ gpus: 8 }] }));
    expect(bench.run(rematch)).toEqual({ tried: 2, placed: 2 });
    bench.rematch();
    expect(bench.exchange.waitingOrders()).toEqual([]);
  });

  it('comes before a newcomer when capacity has just appeared', () => {
    const bench = new Bench();
    bench.submit(want('patient', 'a'));
    bench.market(...readyProvider('p'), offerPublished('p', 'o', { nodes: [{ gpus: 1 }] }));
    expect(bench.submit(want('newcomer', 'b')).state).toBe('unmatched');
    expect(bench.order(idOf('order', 'patient')).state).toBe('matched');
  });
});
