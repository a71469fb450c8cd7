import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { MAX_BATCH, MAX_KEY_BYTES, MAX_TTL_MS, MAX_VALUE_BYTES } from '../src/index.ts';
import type { StoreUnderTest } from './store-under-test.ts';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
/** Short enough to wait for; nothing is expected to be there still, however busy the machine is. */
const SHORT_MS = 30;

const newKey = (): string => randomBytes(8).toString('hex');

/** What every adapter does alike. */
export const keyValueContract = (adapter: string, open: () => Promise<StoreUnderTest>): void => {
  describe(`the ${adapter} adapter`, () => {
    let under: StoreUnderTest;
    beforeAll(async () => {
      under = await open();
    });
    afterAll(() => under.close());

    describe('budgets', () => {
      const hourly = { quota: 4, windowMs: HOUR_MS };

      it('are spent down to nothing, by all clients together, and say when there is more', async () => {
        const [key, { store, other }] = [newKey(), under];
        expect(await store.spend(key, hourly, 1)).toMatchObject({
          allowed: true,
          remaining: 3,
          retryAfterMs: 0,
        });
        expect(await other.spend(key, hourly, 2)).toMatchObject({ allowed: true, remaining: 1 });
        const tooMuch = await store.spend(key, hourly, 2);
        expect(tooMuch).toMatchObject({ allowed: false, remaining: 1 });
        const last = await other.spend(key, hourly, 1);
        expect(last).toMatchObject({ allowed: true, remaining: 0 });
        expect(last.resetMs).toBeGreaterThan(HOUR_MS - MINUTE_MS);
        expect(last.resetMs).toBeLessThanOrEqual(HOUR_MS);
        const refused = await store.spend(key, hourly, 1);
        expect(refused).toMatchObject({ allowed: false, remaining: 0 });
        expect(refused.retryAfterMs).toBeGreaterThan(HOUR_MS / 4 - MINUTE_MS);
        expect(refused.retryAfterMs).toBeLessThanOrEqual(HOUR_MS / 4);
      });

      it('of two keys have nothing to do with each other', async () => {
        const [a, b] = [newKey(), newKey()];
        expect(await under.store.spend(a, hourly, 4)).toMatchObject({ allowed: true });
        expect(await under.store.spend(b, hourly, 4)).toMatchObject({ allowed: true });
      });

      it('refill with time', async () => {
        const [key, policy] = [newKey(), { quota: 10, windowMs: 500 }];
        expect(await under.store.spend(key, policy, 10)).toMatchObject({ allowed: true });
        await under.pass(500);
        expect(await under.store.spend(key, policy, 10)).toMatchObject({ allowed: true, remaining: 0 });
      });

      it('let through as much as they hold when many ask at once', async () => {
        const key = newKey();
        const asked = Array.from({ length: 40 }, (_, n) =>
          (n % 2 === 0 ? under.store : under.other).spend(key, { quota: 15, windowMs: HOUR_MS }, 1),
        );
        expect((await Promise.all(asked)).filter((spent) => spent.allowed)).toHaveLength(15);
      });

      it.each([
        ['a quota of nothing', { quota: 0, windowMs: 1_000 }, 1, 'invalid_policy'],
        ['half a quota', { quota: 1.5, windowMs: 1_000 }, 1, 'invalid_policy'],
        ['no time', { quota: 1, windowMs: 0 }, 1, 'invalid_policy'],
        ['more than a unit a microsecond', { quota: 1_001, windowMs: 1 }, 1, 'invalid_policy'],
        ['a cost of nothing', hourly, 0, 'invalid_cost'],
        ['a cost below nothing', hourly, -1, 'invalid_cost'],
        ['a cost that is no number', hourly, Number.NaN, 'invalid_cost'],
        ['a cost that can never be met', hourly, 5, 'cost_above_quota'],
      ])('refuse %s', async (_, policy, cost, code) => {
        await expect(under.store.spend(newKey(), policy, cost)).rejects.toMatchObject({
          kind: 'invalid',
          code,
        });
      });
    });

    describe('values that are taken once', () => {
      it('go to one of many, and to nobody later', async () => {
        const [key, { store, other }] = [newKey(), under];
        expect(await store.putOnce(key, 'prize', MINUTE_MS)).toBe(true);
        const taken = await Promise.all(
          Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? store : other).take(key)),
        );
        expect(taken.filter((value) => value === 'prize')).toHaveLength(1);
        expect(taken.filter((value) => value === null)).toHaveLength(19);
        expect(await store.take(key)).toBeNull();
      });

      it('are not replaced', async () => {
        const key = newKey();
        const puts = await Promise.all(
          ['a', 'b', 'c'].map(async (value) =>
            (await under.store.putOnce(key, value, MINUTE_MS)) ? value : null,
          ),
        );
        const kept = puts.filter((value) => value !== null);
        expect(kept).toHaveLength(1);
        expect(await under.other.take(key)).toBe(kept[0]);
      });

      it('end', async () => {
        const key = newKey();
        await under.store.putOnce(key, 'x', SHORT_MS);
        await under.pass(SHORT_MS);
        expect(await under.other.take(key)).toBeNull();
        expect(await under.store.putOnce(key, 'again', MINUTE_MS)).toBe(true);
      });

      it('are any text', async () => {
        const [key, value] = [newKey(), 'ä€🌍\u0000\r\n"\\'];
        await under.store.putOnce(key, value, MINUTE_MS);
        expect(await under.store.take(key)).toBe(value);
        await under.store.putOnce(key, '', MINUTE_MS);
        expect(await under.store.take(key)).toBe('');
      });
    });

    describe('latest values', () => {
      it('are replaced by newer ones alone, within a batch too', async () => {
        const [a, b, { store, other }] = [newKey(), newKey(), under];
        expect(
          await store.putLatest(
            [
              { key: a, atMs: 100, value: 'first' },
              { key: b, atMs: 1_767_225_600_000, value: 'now' },
              { key: a, atMs: 99, value: 'older' },
              { key: a, atMs: 100, value: 'as old' },
              { key: a, atMs: 101, value: 'newer' },
            ],
            MINUTE_MS,
          ),
        ).toEqual([true, true, false, false, true]);
        expect(await other.putLatest([{ key: b, atMs: 999_999_999_999, value: 'late' }], MINUTE_MS)).toEqual([
          false,
        ]);
        expect(await other.getLatest([b, newKey(), a])).toEqual([
          { atMs: 1_767_225_600_000, value: 'now' },
          null,
          { atMs: 101, value: 'newer' },
        ]);
      });

      it('end, and live on with each newer value', async () => {
        const [gone, kept] = [newKey(), newKey()];
        await under.store.putLatest(
          [gone, kept].map((key) => ({ key, atMs: 5, value: 'x' })),
          SHORT_MS,
        );
        await under.store.putLatest([{ key: kept, atMs: 6, value: 'y' }], MINUTE_MS);
        await under.pass(SHORT_MS);
        expect(await under.store.getLatest([gone, kept])).toEqual([null, { atMs: 6, value: 'y' }]);
        // Nothing is known any more, so an older one is news.
        expect(await under.store.putLatest([{ key: gone, atMs: 1, value: 'z' }], MINUTE_MS)).toEqual([true]);
      });

      it('come in whole batches, in their order', async () => {
        const entries = Array.from({ length: MAX_BATCH }, (_, n) => ({
          key: newKey(),
          atMs: n,
          value: `v${n}`,
        }));
        expect(await under.store.putLatest(entries, MINUTE_MS)).toEqual(entries.map(() => true));
        const keys = entries.map(({ key }) => key);
        expect(await under.other.getLatest(keys)).toEqual(
          entries.map(({ atMs, value }) => ({ atMs, value })),
        );
        expect(await under.store.putLatest([], MINUTE_MS)).toEqual([]);
        expect(await under.store.getLatest([])).toEqual([]);
      });

      it('of many writers end as the newest, whatever the order', async () => {
        const key = newKey();
        const instants = Array.from({ length: 50 }, (_, n) => (n * 37) % 50);
        await Promise.all(
          instants.map((atMs, n) =>
            (n % 2 === 0 ? under.store : under.other).putLatest(
              [{ key, atMs, value: `at ${atMs}` }],
              MINUTE_MS,
            ),
          ),
        );
        expect(await under.store.getLatest([key])).toEqual([{ atMs: 49, value: 'at 49' }]);
      });

      it.each([
        ['a broken instant', { atMs: 1.5 }, 'invalid_instant'],
        ['a time before time', { atMs: -1 }, 'invalid_instant'],
        ['an endless time', { atMs: Number.POSITIVE_INFINITY }, 'invalid_instant'],
        ['a key with a space', { key: 'a b' }, 'invalid_key'],
        ['too large a value', { value: 'x'.repeat(MAX_VALUE_BYTES + 1) }, 'value_too_large'],
      ])('refuse %s, and then the whole batch', async (_, changes, code) => {
        const good = { key: newKey(), atMs: 1, value: 'x' };
        const batch = [good, { ...good, key: newKey(), ...changes }];
        await expect(under.store.putLatest(batch, MINUTE_MS)).rejects.toMatchObject({
          kind: 'invalid',
          code,
        });
        expect(await under.store.getLatest([good.key])).toEqual([null]);
      });

      it('refuse too large a batch', async () => {
        const keys = Array.from({ length: MAX_BATCH + 1 }, newKey);
        const refused = { kind: 'invalid', code: 'batch_too_large' };
        await expect(under.store.getLatest(keys)).rejects.toMatchObject(refused);
        await expect(
          under.store.putLatest(
            keys.map((key) => ({ key, atMs: 1, value: '' })),
            1,
          ),
        ).rejects.toMatchObject(refused);
      });
    });

    describe('locks', () => {
      it('are held by one of many', async () => {
        const [name, { store, other }] = [newKey(), under];
        const tokens = await Promise.all(
          Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? store : other).acquire(name, MINUTE_MS)),
        );
        expect(tokens.filter((token) => token !== null)).toHaveLength(1);
      });

      it('obey their holder alone', async () => {
        const [name, { store, other }] = [newKey(), under];
        const token = (await store.acquire(name, MINUTE_MS))!;
        expect(await other.extend(name, token + 1n, MINUTE_MS)).toBe(false);
        expect(await other.release(name, token - 1n)).toBe(false);
        expect(await other.acquire(name, MINUTE_MS)).toBeNull();
        expect(await other.extend(name, token, MINUTE_MS)).toBe(true);
        expect(await store.release(name, token)).toBe(true);
        expect(await store.release(name, token)).toBe(false);
        expect(await store.extend(name, token, MINUTE_MS)).toBe(false);
        expect(await other.acquire(name, MINUTE_MS)).toBeGreaterThan(token);
      });

      it('end, and then obey nobody', async () => {
        const name = newKey();
        const first = (await under.store.acquire(name, SHORT_MS))!;
        await under.pass(SHORT_MS);
        expect(await under.store.extend(name, first, MINUTE_MS)).toBe(false);
        const second = (await under.other.acquire(name, MINUTE_MS))!;
        expect(second).toBeGreaterThan(first);
        expect(await under.store.release(name, first)).toBe(false);
        expect(await under.store.acquire(name, MINUTE_MS)).toBeNull();
      });

      it('live on when extended', async () => {
        const name = newKey();
        const token = (await under.store.acquire(name, MINUTE_MS))!;
        expect(await under.store.extend(name, token, SHORT_MS)).toBe(true);
        await under.pass(SHORT_MS);
        expect(await under.store.acquire(name, MINUTE_MS)).toBeGreaterThan(token);
      });
    });

    describe('limits', () => {
      it.each(['', 'a b', 'ä', 'a\n', 'k'.repeat(MAX_KEY_BYTES + 1)])('refuse the key %j', async (key) => {
        const refused = { kind: 'invalid', code: 'invalid_key' };
        const { store } = under;
        await expect(store.spend(key, { quota: 1, windowMs: 1 }, 1)).rejects.toMatchObject(refused);
        await expect(store.putOnce(key, '', 1)).rejects.toMatchObject(refused);
        await expect(store.take(key)).rejects.toMatchObject(refused);
        await expect(store.getLatest([key])).rejects.toMatchObject(refused);
        await expect(store.acquire(key, 1)).rejects.toMatchObject(refused);
        await expect(store.extend(key, 1n, 1)).rejects.toMatchObject(refused);
        await expect(store.release(key, 1n)).rejects.toMatchObject(refused);
      });

      it.each([0, -1, 0.5, Number.NaN, MAX_TTL_MS + 1])(
        'refuse to keep anything for %d ms',
        async (ttlMs) => {
          const refused = { kind: 'invalid', code: 'invalid_ttl' };
          const { store } = under;
          await expect(store.putOnce(newKey(), '', ttlMs)).rejects.toMatchObject(refused);
          await expect(store.putLatest([], ttlMs)).rejects.toMatchObject(refused);
          await expect(store.acquire(newKey(), ttlMs)).rejects.toMatchObject(refused);
          await expect(store.extend(newKey(), 1n, ttlMs)).rejects.toMatchObject(refused);
        },
      );

      it('are bytes, and what is within them is kept', async () => {
        const key = 'k'.repeat(MAX_KEY_BYTES - 16) + newKey();
        const value = '€'.repeat(Math.floor(MAX_VALUE_BYTES / 3));
        expect(await under.store.putOnce(key, value, MAX_TTL_MS)).toBe(true);
        expect(await under.other.take(key)).toBe(value);
        await expect(under.store.putOnce(key, `${value}€`, 1)).rejects.toMatchObject({
          code: 'value_too_large',
        });
      });
    });
  });

  it(`the ${adapter} adapter is of no use after it was closed`, async () => {
    const under = await open();
    await under.close();
    expect(under.store.isAvailable()).toBe(false);
    await expect(under.store.take('k')).rejects.toMatchObject({
      kind: 'unavailable',
      code: 'key_value_unavailable',
    });
  });
};
