import { open } from '@gridbourse/sealing';
import { eventually } from '@gridbourse/testing';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { LeaseDto, OrderDto } from '../src/features/orders/order.dto.ts';
import { idOf } from './builders.ts';
import { sdl } from './manifests.ts';
import { expectStatus } from './running-matchmaker.ts';
import { owner, Stage, stranger, tenant } from './stage.ts';

// Real here: Postgres, the embedded bus, the whole service with REST and gRPC. Played by the test: all other services.

/** Generous: other suites run beside this one. */
jest.setTimeout(30_000);

describe('the matchmaker, asked by tenants, providers and strangers', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await Stage.open();
  }, 60_000);
  afterAll(() => stage?.close(), 30_000);

  it('stores and publishes secrets only sealed, to the orchestrator and to nobody else', async () => {
    const secret = 'planted-5d1c8e';
    const placed = await stage.submit({ manifest: sdl({ secret }) });
    const rows = await stage.running.dataSource.query<{ dump: string }[]>(`
      SELECT json_agg(e)::text AS dump FROM events e
      UNION ALL SELECT json_agg(o)::text FROM orders o UNION ALL SELECT json_agg(l)::text FROM leases l
      UNION ALL SELECT json_agg(t)::text FROM timeline t`);
    const dump = rows.map((row) => row.dump).join();
    expect(dump).toContain(placed.orderId);
    expect(dump).not.toContain(secret);
    const [stored] = await stage.running.dataSource.query<{ secrets: never }[]>(
      `SELECT data->'secrets' AS secrets FROM events WHERE type = 'LeaseProposed' AND data->>'orderId' = $1`,
      [placed.orderId],
    );
    const opened = await open(stage.running.sealingKey.privateKey, stored!.secrets, placed.orderId);
    expect(Buffer.from(opened).toString()).toContain(secret);
    await stage.running.post(tenant, `/v1/orders/${placed.orderId}/cancel`, {});
  });

  it('gives the same order for the same idempotency key, over REST and gRPC', async () => {
    const body = { manifest: sdl() };
    const [first, second] = await Promise.all([
      stage.running.call<{ order: { orderId: string } }>(tenant, 'SubmitOrder', {
        order: body,
        idempotencyKey: 'once',
      }),
      stage.running.call<{ order: { orderId: string } }>(tenant, 'SubmitOrder', {
        order: body,
        idempotencyKey: 'once',
      }),
    ]);
    expect(second.order.orderId).toBe(first.order.orderId);
    expect((await stage.submit(body, { 'idempotency-key': 'once' })).orderId).toBe(first.order.orderId);
    await expect(
      stage.running.call(tenant, 'SubmitOrder', {
        order: { manifest: sdl({ gpus: 2 }) },
        idempotencyKey: 'once',
      }),
    ).rejects.toMatchObject({ code: 3, details: expect.stringContaining('another order') });
    const other = await stage.running.call<{ order: { orderId: string } }>(stranger, 'SubmitOrder', {
      order: body,
      idempotencyKey: 'once',
    });
    expect(other.order.orderId).not.toBe(first.order.orderId);
    await stage.running.call(stranger, 'CancelOrder', { orderId: other.order.orderId });
    await stage.running.call(tenant, 'CancelOrder', { orderId: first.order.orderId });
    expect((await stage.order(first.order.orderId)).state).toBe('cancelled');
    expect(stage.freeOf('alpha-4090')).toBe(4);
  });

  it('quotes without holding anything', async () => {
    const quote = await stage.running.post<{
      matched: boolean;
      leases: { candidates: object[] }[];
      rate: { micros: string };
    }>(tenant, '/v1/quotes', {
      manifest: sdl({ model: 'h100', price: '100000' }),
      near: { latitude: 48.1, longitude: 11.6 },
    });
    expectStatus(quote, 200);
    expect(quote.body).toMatchObject({
      matched: true,
      listRate: { usdc: '12.00' },
      leases: [
        {
          group: 'anywhere',
          candidates: [
            {
              offerId: idOf('offer', 'beta-h100'),
              region: 'eu-west',
              gpu: { model: 'h100', vramMiB: 81_920, interface: 'pcie', sharing: { mode: 'whole' } },
              interconnect: 'ethernet',
            },
          ],
        },
      ],
      explanation: null,
    });
    const none = await stage.running.post<object>(tenant, '/v1/quotes', {
      manifest: sdl({ model: 'h100', price: '1' }),
    });
    expect(none.body).toMatchObject({
      matched: false,
      rate: null,
      explanation: { smallestChange: { field: 'maxRateUsdcPerHour' } },
    });
    expect(stage.freeOf('beta-h100')).toBe(4);
    const byGrpc = await stage.running.call<{ matched: boolean }>(tenant, 'Quote', {
      order: { manifest: sdl({ model: 'h100', price: '100000' }) },
    });
    expect(byGrpc).toMatchObject({
      matched: true,
      cloudListUsdcPerHour: '12.00',
      candidates: [{ gpuModel: 'h100', gpuSharing: 'whole', interconnect: 'ethernet' }],
    });
  });

  it('asks a provider without a standing policy, and takes only its owner’s answer', async () => {
    const placed = await stage.submit({ manifest: sdl({ model: 'h100', price: '100000' }) });
    const [{ leaseId }] = placed.leases as [LeaseDto];
    expect(placed.leases).toMatchObject([
      { state: 'proposed', gpu: { model: 'h100', sharing: { mode: 'whole' } } },
    ]);
    expect((await stage.running.post(stranger, `/v1/leases/${leaseId}/accept`, {})).status).toBe(404);
    expect((await stage.running.post(tenant, `/v1/leases/${leaseId}/accept`, {})).status).toBe(404);
    expect((await stage.running.get<LeaseDto>(owner, `/v1/leases/${leaseId}`)).body.leaseId).toBe(leaseId);
    const accepted = await stage.running.post<LeaseDto>(owner, `/v1/leases/${leaseId}/accept`, {});
    expect(accepted.body.state).toBe('accepted');
    expect(
      (await stage.running.post<{ code: string }>(owner, `/v1/leases/${leaseId}/reject`, {})).body.code,
    ).toBe('lease_not_proposed');
    await stage.running.post(tenant, `/v1/orders/${placed.orderId}/cancel`, {});

    const declined = await stage.submit({ manifest: sdl({ model: 'h100', price: '100000' }) });
    const [proposal] = declined.leases as [LeaseDto];
    await stage.running.post(owner, `/v1/leases/${proposal.leaseId}/reject`, { reason: 'maintenance' });
    const after = await stage.order(declined.orderId);
    expect(after).toMatchObject({
      state: 'unmatched',
      leases: [{ state: 'rejected', closeDetail: 'maintenance' }],
    });
    expect(after.explanation?.constraints.map(({ constraint }) => constraint)).toContain('provider_declined');
    await stage.running.post(tenant, `/v1/orders/${declined.orderId}/cancel`, {});
  });

  it('lets nobody see or touch what is another’s', async () => {
    const placed = await stage.submit({ manifest: sdl() });
    const [{ leaseId }] = placed.leases as [LeaseDto];
    const { orderId } = placed;
    for (const path of [
      `/v1/orders/${orderId}`,
      `/v1/orders/${orderId}/explanation`,
      `/v1/orders/${orderId}/timeline`,
      `/v1/leases/${leaseId}`,
      '/v1/orders/nonsense',
    ]) {
      expect((await stage.running.get<{ code: string }>(stranger, path)).status).toBe(404);
    }
    expect((await stage.running.stream(stranger, `/v1/orders/${orderId}/timeline`)).status).toBe(404);
    for (const path of [
      `/v1/orders/${orderId}/cancel`,
      `/v1/leases/${leaseId}/close`,
      `/v1/leases/${leaseId}/reject`,
    ]) {
      expect((await stage.running.post(stranger, path, {})).status).toBe(404);
    }
    await expect(stage.running.call(stranger, 'GetOrder', { orderId })).rejects.toMatchObject({ code: 5 });
    expect(
      (await stage.running.get<{ items: object[] }>(stranger, '/v1/leases')).body.items.every(
        (l) => (l as LeaseDto).orderId !== orderId,
      ),
    ).toBe(true);
    expect(
      (await stage.running.get<{ items: object[] }>(stranger, `/v1/leases?orderId=${orderId}`)).body.items,
    ).toEqual([]);
    expect((await stage.order(orderId)).state).toBe('matched');
    await stage.running.post(tenant, `/v1/orders/${orderId}/cancel`, {});
  });

  it.each<[string, object | string, number, object]>([
    [
      'a manifest that is not YAML',
      { manifest: 'a: [' },
      422,
      { code: 'invalid_manifest', errors: [{ line: 1 }] },
    ],
    ['a field of nobody', { manifest: sdl(), gpu: 1 }, 422, { code: 'invalid_request' }],
    [
      'a negative price',
      { manifest: sdl(), maxRateUsdcPerHour: '-1' },
      422,
      { errors: [{ pointer: '/maxRateUsdcPerHour' }] },
    ],
    ['an unknown region', { manifest: sdl(), regions: ['atlantis'] }, 422, {}],
    [
      'an endless duration',
      { manifest: sdl(), durationSeconds: 100_000_000 },
      422,
      { code: 'duration_too_long' },
    ],
    [
      'a wait beyond the limit',
      { manifest: sdl(), waitSeconds: 999_999_999 },
      422,
      { code: 'wait_too_long' },
    ],
    ['text that is not JSON', '{', 400, {}],
  ])('refuses %s and changes nothing', async (_, body, status, problem) => {
    const count = async () =>
      (await stage.running.dataSource.query<{ n: string }[]>('SELECT count(*) AS n FROM events'))[0]!.n;
    const before = await count();
    const answer = await stage.running.post<object>(tenant, '/v1/orders', body);
    expectStatus(answer, status);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(answer.body).toMatchObject(problem);
    expect(await count()).toBe(before);
  });

  it('lists by state and page, newest first', async () => {
    const first = await stage.running.get<{ items: OrderDto[]; nextCursor: string }>(
      tenant,
      '/v1/orders?state=cancelled&limit=2',
    );
    expect(first.body.items).toHaveLength(2);
    const second = await stage.running.get<{ items: OrderDto[] }>(
      tenant,
      `/v1/orders?state=cancelled&limit=2&cursor=${first.body.nextCursor}`,
    );
    const all = [...first.body.items, ...second.body.items];
    expect(new Set(all.map(({ orderId }) => orderId)).size).toBe(all.length);
    expect(all.map(({ submittedAt }) => submittedAt)).toEqual(
      all
        .map(({ submittedAt }) => submittedAt)
        .sort()
        .reverse(),
    );
    expect((await stage.running.get(tenant, '/v1/orders?cursor=nonsense')).status).toBe(422);
  });

  it('blocks until the order runs when asked to, and no longer than asked', async () => {
    const body = { manifest: sdl() };
    const patient = stage.submit(body, { prefer: 'respond-async, wait=30', 'idempotency-key': 'patient' });
    const placed = await eventually(async () => {
      const { items } = (await stage.running.get<{ items: OrderDto[] }>(tenant, '/v1/orders?state=matched'))
        .body;
      return items[0] ?? null;
    });
    await stage.run(placed.orderId);
    expect(await patient).toMatchObject({ orderId: placed.orderId, state: 'fulfilled' });
    const impatient = await stage.submit({ manifest: sdl({ gpus: 40 }) }, { prefer: 'wait=1' });
    expect(impatient.state).toBe('unmatched');
  });

  it('documents every route from the schemas that check it', () => {
    const { paths } = stage.running.openApi();
    expect(Object.keys(paths)).toEqual(
      expect.arrayContaining([
        '/v1/orders',
        '/v1/orders/{id}',
        '/v1/orders/{id}/cancel',
        '/v1/orders/{id}/explanation',
        '/v1/orders/{id}/timeline',
        '/v1/quotes',
        '/v1/leases',
        '/v1/leases/{id}',
        '/v1/leases/{id}/close',
        '/v1/leases/{id}/accept',
        '/v1/leases/{id}/reject',
      ]),
    );
  });
});
