import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { group, idOf, service, submission } from '../../test/builders.ts';
import { Stage } from '../../test/stage.ts';
import { cancelOrder, submitOrder } from '../domain/process/tenant.ts';
import { loadExchange } from './load-exchange.ts';

/** Real: Postgres, the running matchmaker. Generous: other suites run beside this one. */
jest.setTimeout(120_000);

let stage: Stage;
beforeAll(async () => (stage = await Stage.open()));
afterAll(() => stage.close());

/** More than are read at once. */
const MANY = 700;

describe('the state of a writer that begins', () => {
  it('has every order and lease that is not over, as it was left, and none that is', async () => {
    const { matchmaker, dataSource, eventStore } = stage.running;
    const submit = (word: string): Promise<unknown> =>
      matchmaker.execute((unit) =>
        submitOrder(
          unit,
          // Who asks for a little has a place, the others wait.
          submission(word, [group('g', [service('s')])], {
            accountId: idOf('account', `tenant-${Number(word) % 70}`),
            expiresAtMs: unit.now + 3_600_000,
          }),
        ),
      );
    await Promise.all(Array.from({ length: MANY }, (_, at) => submit(String(at))));
    // One that waits: the place of another would be taken by the next at once, and we look from outside.
    const over = idOf('order', String(MANY - 1));
    await matchmaker.execute((unit) => cancelOrder(unit, unit.exchange.order(over)!.accountId, over));

    const loaded = await loadExchange(dataSource, eventStore);
    const { exchange } = matchmaker;
    const byId = <T extends { orderId: string }>(all: Iterable<T>): T[] =>
      [...all].sort((a, b) => (a.orderId < b.orderId ? -1 : 1));
    expect(byId(loaded.orders())).toEqual(byId(exchange.orders()));
    expect([...loaded.orders()]).toHaveLength(MANY - 1);
    expect(loaded.order(over)).toBeUndefined();
    const leases = [...exchange.orders()].flatMap(({ orderId }) => exchange.leasesOf(orderId));
    expect(leases.length).toBeGreaterThan(0);
    for (const lease of leases) expect(loaded.lease(lease.leaseId)).toEqual(lease);
    expect(byId(loaded.waitingOrders())).toEqual(byId(exchange.waitingOrders()));
  });
});
