import { eventually } from '@gridbourse/testing';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { OrderDto, OrderExplanationDto } from '../src/features/orders/order.dto.ts';
import { idOf, offerPublished, readyProvider } from './builders.ts';
import { sdl } from './manifests.ts';
import { expectStatus } from './running-matchmaker.ts';
import { Stage, tenant } from './stage.ts';

// Real here: Postgres, the embedded bus, the whole service with REST and gRPC. Played by the test: all other services.

/** Generous: other suites run beside this one. */
jest.setTimeout(30_000);

const CHEAP = idOf('provider', 'cheap');
const TRUSTED = idOf('provider', 'trusted');
const manifest = sdl({ model: 't4', price: '100000' });
const UNWEIGHED = { cost: 0, geography: 0, performance: 0, reliability: 0, fit: 0 };
type Placed = { orderId: string; leases: { providerId: string }[]; weights: object; workloadClass: string };

describe('the score, as tenants weigh it and are told of it', () => {
  let stage: Stage;
  const quoted = async (wishes: object): Promise<string> => {
    const quote = await stage.running.post<{ leases: { candidates: { providerId: string }[] }[] }>(
      tenant,
      '/v1/quotes',
      { manifest, ...wishes },
    );
    expectStatus(quote, 200);
    return quote.body.leases[0]!.candidates[0]!.providerId;
  };
  const cancel = (orderId: string) => stage.running.post(tenant, `/v1/orders/${orderId}/cancel`, {});

  beforeAll(async () => {
    stage = await Stage.open();
    for (const [name, tier, perGpu] of [
      ['cheap', 7, '0.20'],
      ['trusted', 1, '0.60'],
    ] as const) {
      await stage.market(name, [
        ...readyProvider(name, { tier }),
        offerPublished(name, name, { model: 't4', vramGiB: 16, perGpu }),
      ]);
    }
    await eventually(() => expect([...stage.running.matchmaker.exchange.market.offers()]).toHaveLength(4));
  }, 60_000);
  afterAll(() => stage?.close(), 30_000);

  it.each([
    [{ cost: 1 }, CHEAP],
    [{ cost: 0.1, reliability: 0.9 }, TRUSTED],
  ])('weighs a quote and an order by %j, over REST', async (weights, wanted) => {
    const wishes = { weights, workloadClass: 'language' };
    expect(await quoted(wishes)).toBe(wanted);
    const placed = await stage.submit({ manifest, ...wishes });
    const all = { ...UNWEIGHED, ...weights };
    const shown = { profile: 'balanced', weights: all, workloadClass: 'language' };
    expect(placed).toMatchObject({ ...shown, leases: [{ providerId: wanted }] });
    const listed = await stage.running.get<{ items: OrderDto[] }>(tenant, '/v1/orders?state=matched');
    expect(listed.body.items).toMatchObject([{ orderId: placed.orderId, ...shown }]);
    await cancel(placed.orderId);
  });

  it.each([
    [{ cost: 1 }, CHEAP],
    [{ reliability: 1 }, TRUSTED],
  ])('weighs a quote and an order by %j, over gRPC', async (weights, wanted) => {
    const order = { manifest, weights, workloadClass: 'vision' };
    const quote = await stage.running.call<{ candidates: { providerId: string }[] }>(tenant, 'Quote', {
      order,
    });
    expect(quote.candidates[0]!.providerId).toBe(wanted);
    const placed = await stage.running.call<{ order: Placed }>(tenant, 'SubmitOrder', { order });
    expect(placed.order).toMatchObject({
      profile: 'balanced',
      weights,
      workloadClass: 'vision',
      leases: [{ providerId: wanted }],
    });
    await cancel(placed.order.orderId);
  });

  it('keeps to the profile where no weights are given', async () => {
    const placed = await stage.submit({ manifest, profile: 'cheapest' });
    expect(placed).toMatchObject({ profile: 'cheapest', weights: null, workloadClass: 'general' });
    await cancel(placed.orderId);
    const byGrpc = await stage.running.call<{ order: Placed }>(tenant, 'SubmitOrder', {
      order: { manifest },
    });
    expect(byGrpc.order).toMatchObject({ weights: {}, workloadClass: 'general' });
    await cancel(byGrpc.order.orderId);
  });

  it.each<[string, object, string]>([
    ['a negative weight', { weights: { cost: -0.1, fit: 1 } }, '/weights/cost'],
    ['a weight above 1', { weights: { cost: 0.1, fit: 1.01 } }, '/weights/fit'],
    ['weights that are all 0', { weights: { cost: 0 } }, '/weights'],
    ['a term that is none', { weights: { cost: 1, speed: 1 } }, '/weights'],
    ['a class of work that is none', { workloadClass: 'poetry' }, '/workloadClass'],
  ])('refuses %s, over REST and gRPC', async (_, wishes, pointer) => {
    for (const path of ['/v1/orders', '/v1/quotes']) {
      const answer = await stage.running.post(tenant, path, { manifest, ...wishes });
      expectStatus(answer, 422);
      expect(answer.body).toMatchObject({ code: 'invalid_request', errors: [{ pointer }] });
    }
    await expect(
      stage.running.call(tenant, 'SubmitOrder', { order: { manifest, ...wishes } }),
    ).rejects.toMatchObject({ code: 3 });
  });

  it('takes other weights under a used idempotency key for another order', async () => {
    const key = { 'idempotency-key': 'weighed' };
    const weighed = { manifest, weights: { cost: 1 } };
    const first = await stage.submit(weighed, key);
    expect((await stage.submit(weighed, key)).orderId).toBe(first.orderId);
    for (const wishes of [
      {},
      { weights: { cost: 0.5 } },
      { weights: { cost: 1 }, workloadClass: 'language' },
    ]) {
      const other = await stage.running.post(tenant, '/v1/orders', { manifest, ...wishes }, key);
      expect(other.body).toMatchObject({ code: 'idempotency_key_reused' });
    }
    await cancel(first.orderId);
  });

  it('explains a matched order by what came second, over REST and gRPC, also when it is over', async () => {
    const placed = await stage.submit({ manifest, weights: { cost: 0.9, reliability: 0.1 } });
    const { orderId } = placed;
    const ranked = {
      score: expect.any(Number),
      terms: { cost: expect.any(Number), fit: expect.any(Number) },
    };
    const groups = [
      {
        group: 'anywhere',
        winner: { ...ranked, providerId: CHEAP, offerId: idOf('offer', 'cheap'), rate: placed.rate },
        runnerUp: { ...ranked, providerId: TRUSTED, offerId: idOf('offer', 'trusted') },
      },
    ];
    const explain = async () =>
      (await stage.running.get<OrderExplanationDto>(tenant, `/v1/orders/${orderId}/explanation`)).body;
    const why = await explain();
    expect(why).toMatchObject({ match: { rate: placed.rate, groups }, constraints: [], auction: null });
    expect(why.summary).toMatch(new RegExp(`${CHEAP} at .*, ahead of ${TRUSTED} at `));
    const [{ winner, runnerUp }] = why.match!.groups as [(typeof why.match & object)['groups'][0]];
    expect(winner.score).toBeGreaterThan(runnerUp!.score);
    expect(winner.terms['reliability']).toBeLessThan(runnerUp!.terms['reliability']!);
    expect(await stage.running.call(tenant, 'ExplainOrder', { orderId })).toMatchObject({
      explanation: { summary: why.summary },
      match: {
        rateMicrosPerHour: placed.rate!.micros,
        groups: [
          { winner: { providerId: CHEAP }, runnerUp: { providerId: TRUSTED, terms: runnerUp!.terms } },
        ],
      },
    });
    await cancel(orderId);
    expect((await explain()).match).toEqual(why.match);
  });

  it('tells of no match while an order waits', async () => {
    const waiting = await stage.submit({ manifest: sdl({ model: 't4', gpus: 40 }) });
    const path = `/v1/orders/${waiting.orderId}/explanation`;
    const why = await stage.running.get<OrderExplanationDto>(tenant, path);
    expect(why.body).toMatchObject({ match: null, constraints: expect.any(Array) });
    await expect(
      stage.running.call(tenant, 'ExplainOrder', { orderId: waiting.orderId }),
    ).resolves.toMatchObject({ match: null });
    await cancel(waiting.orderId);
  });
});
