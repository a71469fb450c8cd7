import { eventually } from '@gridbourse/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { idOf, offerPublished, readyProvider } from './builders.ts';
import { sdl } from './manifests.ts';
import { expectStatus } from './running-matchmaker.ts';
import { Stage, tenant } from './stage.ts';

// Real here: the whole service over HTTP and gRPC, Postgres, the embedded bus. The other services are lines that the test says.

type Quote = {
  matched: boolean;
  rate: { micros: string };
  leases: {
    parts: { number: number; of: number; providerId: string; services: object[] }[];
    candidates: object[];
  }[];
};

/** Eight replicas of a GPU each: alpha has four, gamma four. */
const GANG = { manifest: sdl({ replicas: 8 }), run: 'job', maxProviders: 2 } as const;

describe('a group that is divided', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await Stage.open();
    await stage.market('gamma', [...readyProvider('gamma'), offerPublished('gamma', 'gamma-4090')]);
    await eventually(() => expect([...stage.running.matchmaker.exchange.market.offers()]).toHaveLength(3));
  }, 60_000);
  afterAll(() => stage.close());

  const free = (): number => stage.freeOf('alpha-4090') + stage.freeOf('gamma-4090');

  it('is quoted as its parts, and only where that is asked for', async () => {
    const answer = await stage.running.post<Quote>(tenant, '/v1/quotes', GANG);
    expectStatus(answer, 200);
    const { matched, leases } = answer.body;
    expect(matched).toBe(true);
    expect(leases[0]!.parts.map(({ number, of }) => [number, of])).toEqual([
      [1, 2],
      [2, 2],
    ]);
    expect(leases[0]!.candidates).toEqual([]);
    const { maxProviders: _, ...whole } = GANG;
    const refused = await stage.running.post<Quote & { explanation: { smallestChange: object } }>(
      tenant,
      '/v1/quotes',
      whole,
    );
    expect(refused.body).toMatchObject({
      matched: false,
      explanation: { smallestChange: { field: 'groups.anywhere.maxProviders', to: '2' } },
    });
    expect(free()).toBe(8);
  });

  it('has a lease at each provider, lives and is paid for part by part', async () => {
    const { orderId, leases, state } = await stage.submit(GANG);
    expect(state).toBe('matched');
    expect(leases.map(({ group, providerId }) => [group, providerId]).sort()).toEqual(
      ['alpha', 'gamma'].map((name) => ['anywhere', idOf('provider', name)]).sort(),
    );
    const [one, two] = leases.map(({ part }) => part!.services[0]!);
    expect(one).toEqual({ service: 'web', firstReplica: 0, replicas: one!.replicas, ofReplicas: 8 });
    expect(two).toEqual({
      service: 'web',
      firstReplica: one!.replicas,
      replicas: 8 - one!.replicas,
      ofReplicas: 8,
    });
    expect(free()).toBe(0);
    for (const part of ['null', '{"number":2}']) {
      await expect(
        stage.running.dataSource.query(
          `INSERT INTO leases SELECT (jsonb_populate_record(l, '{"lease_id":"lea_second","part":${part}}')).*
           FROM leases l WHERE order_id = $1 LIMIT 1`,
          [orderId],
        ),
      ).rejects.toThrow('one_living_lease');
    }
    for (const { leaseId } of await stage.fundAll(orderId)) {
      await stage.workload(leaseId, {
        type: 'WorkloadRunning',
        runningSinceMs: stage.clock.now(),
        endpoints: [],
      });
      await stage.leaseBecomes(leaseId, 'active');
    }
    await eventually(async () => expect((await stage.order(orderId)).state).toBe('fulfilled'));
    const [first, second] = leases.map(({ leaseId }) => leaseId);
    await stage.workload(first!, { type: 'WorkloadExited', exitCode: 0, finishedAtMs: stage.clock.now() });
    await stage.leaseBecomes(first!, 'closing');
    expect((await stage.lease(second!)).state).toBe('active');
    await stage.finish(first!);
    await stage.workload(second!, { type: 'WorkloadExited', exitCode: 0, finishedAtMs: stage.clock.now() });
    await stage.leaseBecomes(second!, 'closing');
    await stage.finish(second!);
    expect(free()).toBe(8);
  });

  it('ends whole when one part fails, and waits whole when there is no room for all', async () => {
    const { orderId } = await stage.submit(GANG);
    const [first, second] = await stage.fundAll(orderId);
    const waiting = await stage.submit(GANG);
    expect(waiting).toMatchObject({ state: 'unmatched', explanation: { smallestChange: { field: 'wait' } } });
    await stage.workload(second!.leaseId, {
      type: 'WorkloadFailed',
      ...{ phase: 'start', cause: 'image_pull', message: 'no such image' },
    });
    await stage.leaseBecomes(first!.leaseId, 'closing');
    expect(await stage.lease(first!.leaseId)).toMatchObject({
      closeReason: 'superseded',
      closeDetail: 'part 2 of 2 of group anywhere of the same order ended (start_failed)',
    });
    expect((await stage.order(orderId)).state).toBe('cancelled');
    // One part's machines alone do not wake it; those of both do.
    await stage.finish(first!.leaseId);
    expect((await stage.order(waiting.orderId)).state).toBe('unmatched');
    await stage.finish(second!.leaseId);
    await eventually(async () => expect((await stage.order(waiting.orderId)).leases).toHaveLength(2));
  });

  it('is refused where it cannot be, with what to do instead', async () => {
    const refusal = async (body: object): Promise<unknown> =>
      (await stage.running.post(tenant, '/v1/orders', body)).body;
    expect(await refusal({ ...GANG, mode: 'auction' })).toMatchObject({ code: 'auction_not_divisible' });
    expect(await refusal({ ...GANG, maxProviders: 17 })).toMatchObject({ code: 'invalid_request' });
  });
});
