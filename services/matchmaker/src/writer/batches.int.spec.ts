import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { EntityManager } from 'typeorm';
import { group, idOf, service, submission } from '../../test/builders.ts';
import { Stage, tenant } from '../../test/stage.ts';
import { noteLifeEvent } from '../read-models/projection.ts';
import type { TimelineItem } from '../read-models/timeline-reader.ts';
import { cancelOrder, submitOrder } from '../domain/process/tenant.ts';

/** Real: Postgres, the running matchmaker. Generous: other suites run beside this one. */
jest.setTimeout(120_000);

let stage: Stage;
beforeAll(async () => (stage = await Stage.open()));
afterAll(() => stage.close());

const want = (word: string) =>
  submission(word, [group('g', [service('s')])], {
    accountId: tenant.accountId,
    expiresAtMs: stage.clock.now() + 3_600_000,
  });

const timelineOf = (word: string): Promise<TimelineItem[]> =>
  stage.running.timelines.behind(idOf('order', word), '0', 100);

describe('decisions that are committed together', () => {
  it('leave rows as of the last of them, and a timeline in their order', async () => {
    const { matchmaker, dataSource } = stage.running;
    // In one turn of the event loop, so in one batch; the order is submitted, noted, cancelled.
    const [order, note] = await Promise.all([
      matchmaker.execute((unit) => submitOrder(unit, want('one'))),
      matchmaker.execute((unit) => unit.exchange.leasesOf(idOf('order', 'one'))[0]!.leaseId, {
        alsoWrite: async (manager: EntityManager, leaseId, at) => {
          const why = { phase: 'start', cause: 'crash_loop', message: 'noted', atMs: at.atMs } as const;
          await noteLifeEvent(manager, leaseId, { type: 'WorkloadFailed', leaseId, ...why }, at);
        },
      }),
      matchmaker.execute((unit) => cancelOrder(unit, tenant.accountId, idOf('order', 'one'))),
      matchmaker.execute((unit) => submitOrder(unit, want('two'))),
    ]);
    expect([order.state, note.slice(0, 4)]).toEqual(['matched', 'lea_']);
    const types = (await timelineOf('one')).map(({ type }) => type);
    expect(types).toEqual([
      'OrderSubmitted',
      'LeaseProposed',
      'LeaseAccepted',
      'OrderMatched',
      'WorkloadFailed',
      'LeaseLapsed',
      'CapacityReleased',
      'OrderCancelled',
    ]);
    const rows = await dataSource.query<
      { state: string; live: boolean; lease: string; rate_micros: string }[]
    >(
      `SELECT o.state, o.live, l.state AS lease, l.rate_micros FROM orders o JOIN leases l USING (order_id)
       WHERE o.order_id = ANY($1) ORDER BY o.state`,
      [[idOf('order', 'one'), idOf('order', 'two')]],
    );
    expect(rows.map(({ state, live, lease }) => [state, live, lease])).toEqual([
      ['cancelled', false, 'lapsed'],
      ['matched', true, 'accepted'],
    ]);
    expect(BigInt(rows[1]!.rate_micros)).toBeGreaterThan(0n);
  });
});
