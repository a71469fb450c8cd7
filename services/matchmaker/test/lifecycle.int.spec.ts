import type { ChainEventObserved, DomainEvent, ProviderEvent } from '@gridbourse/events';
import { type LeaseId, ManualClock, parseUsdc } from '@gridbourse/kernel';
import { open } from '@gridbourse/sealing';
import { eventually } from '@gridbourse/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { EventStore } from '@gridbourse/event-store';
import { leaseReference } from '../src/adapters/lease-reference.ts';
import type { LeaseDto, OrderDto } from '../src/features/orders/order.dto.ts';
import { loadExchange } from '../src/writer/load-exchange.ts';
import type { Exchange } from '../src/domain/process/exchange.ts';
import { idOf, NOON, offerPublished, readyProvider } from './builders.ts';
import { sdl } from './manifests.ts';
import { expectStatus, person, RunningMatchmaker } from './running-matchmaker.ts';

// Real here: Postgres, the embedded bus, the whole service with REST and gRPC. Played by the test: all other services.

const tenant = person('tenant');
const stranger = person('stranger');
const owner = person('owner of the machines');
const HASH = `0x${'ab'.repeat(32)}` as const;

describe('the matchmaker', () => {
  const clock = new ManualClock(NOON);
  let running: RunningMatchmaker;
  let chainSerial = 0;

  beforeAll(async () => {
    running = await RunningMatchmaker.start({ clock });
    await running.admit(tenant, stranger, owner);
    await market('alpha', readyProvider('alpha'), [offerPublished('alpha', 'alpha-4090', { nodes: [{ gpus: 4 }] })]);
    await market('beta', readyProvider('beta', { accountId: owner.accountId }), [
      offerPublished('beta', 'beta-h100', { model: 'h100', vramGiB: 80, perGpu: '2.00', autoAccept: false }),
    ]);
    await eventually(() => expect([...running.matchmaker.exchange.market.offers()]).toHaveLength(2));
  });
  afterAll(() => running?.stop());

  const market = (name: string, ...events: ProviderEvent[][]): Promise<void> =>
    running.say(idOf('provider', name), ...events.flat());
  const submit = async (body: object, headers: Record<string, string> = {}): Promise<OrderDto> => {
    const answer = await running.post<OrderDto>(tenant, '/v1/orders', body, headers);
    expectStatus(answer, 201);
    return answer.body;
  };
  const order = async (orderId: string): Promise<OrderDto> => (await running.get<OrderDto>(tenant, `/v1/orders/${orderId}`)).body;
  const lease = async (leaseId: string): Promise<LeaseDto> => (await running.get<LeaseDto>(tenant, `/v1/leases/${leaseId}`)).body;
  const leaseBecomes = (leaseId: string, state: string): Promise<unknown> =>
    eventually(async () => expect((await lease(leaseId)).state).toBe(state));

  const opened = (terms: LeaseDto, chainProviderId: number): ChainEventObserved => {
    chainSerial += 1;
    return {
      type: 'ChainEventObserved',
      contract: 'ComputeMarket',
      chainId: 31_337,
      blockNumber: chainSerial,
      blockHash: HASH,
      logIndex: 0,
      txHash: HASH,
      blockTimeMs: clock.now(),
      seenAtMs: clock.now(),
      log: {
        name: 'LeaseOpened',
        leaseKey: `0x${String(chainSerial).padStart(24, '0')}`,
        leaseRef: leaseReference(terms.leaseId as LeaseId),
        tenant: tenant.wallet,
        chainProviderId,
        rateMicrosPerHour: BigInt(terms.rate.micros),
        lockMicros: BigInt(terms.lock.micros),
        openedAtSeconds: Math.floor(clock.now() / 1_000),
      },
    };
  };
  const chainIdOf = (terms: LeaseDto): number =>
    running.matchmaker.exchange.lease(terms.leaseId as LeaseId)!.chainProviderId;
  const fund = async (orderId: string): Promise<LeaseDto> => {
    const [terms] = (await order(orderId)).leases.slice(-1);
    await running.say('ComputeMarket', opened(terms!, chainIdOf(terms!)));
    await leaseBecomes(terms!.leaseId, 'funded');
    return lease(terms!.leaseId);
  };
  const workload = (leaseId: string, ...events: object[]): Promise<void> =>
    running.say(leaseId, ...events.map((event) => ({ leaseId, atMs: clock.now(), ...event }) as unknown as DomainEvent));
  const run = async (orderId: string): Promise<LeaseDto> => {
    const funded = await fund(orderId);
    await workload(funded.leaseId, { type: 'WorkloadRunning', runningSinceMs: clock.now(), endpoints: [] });
    await leaseBecomes(funded.leaseId, 'active');
    return lease(funded.leaseId);
  };
  const finish = async (leaseId: string): Promise<void> => {
    await workload(
      leaseId,
      { type: 'MeterClosed', totalSeconds: 10 },
      { type: 'WorkloadTerminated', provenAbsentAtMs: clock.now(), everCreated: true },
    );
    await running.say(leaseId, {
      type: 'LeaseSettled',
      leaseId,
      paidMicros: 1_000n,
      refundedMicros: 2_000n,
      txHash: HASH,
      atMs: clock.now(),
    } as DomainEvent);
    await eventually(async () => expect(await lease(leaseId)).toMatchObject({ state: 'closed', capacityReleased: true }));
  };
  const freeOf = (offer: string): number => {
    const { market: all, book } = running.matchmaker.exchange;
    return book.usage(all.offer(idOf('offer', offer))!).free.gpus;
  };

  it('takes an order through its whole life, and shows every step', async () => {
    const placed = await submit({ manifest: sdl(), durationSeconds: 3_600 });
    expect(placed).toMatchObject({ state: 'matched', name: 'web', leases: [{ state: 'accepted', group: 'anywhere' }] });
    expect(freeOf('alpha-4090')).toBe(3);
    const active = await run(placed.orderId);
    expect(active).toMatchObject({ chainLeaseKey: '0x000000000000000000000001', listRate: null });
    expect((await order(placed.orderId)).state).toBe('fulfilled');
    const closing = await running.post<LeaseDto>(tenant, `/v1/leases/${active.leaseId}/close`, {});
    expectStatus(closing, 202);
    expect(closing.body).toMatchObject({ state: 'closing', closeReason: 'tenant' });
    await finish(active.leaseId);
    expect(await lease(active.leaseId)).toMatchObject({ paid: { micros: '1000' }, refunded: { micros: '2000' }, closeReason: 'tenant' });
    expect(freeOf('alpha-4090')).toBe(4);

    const { body } = await running.get<{ items: { id: string; type: string; text: string }[] }>(tenant, `/v1/orders/${placed.orderId}/timeline`);
    const types = body.items.map(({ type }) => type);
    expect(types.slice(0, 4)).toEqual(['OrderSubmitted', 'LeaseProposed', 'LeaseAccepted', 'OrderMatched']);
    expect(types).toEqual(expect.arrayContaining(['LeaseFunded', 'WorkloadRunning', 'LeaseActivated', 'OrderFulfilled', 'LeaseClosing', 'MeterClosed', 'CapacityReleased', 'LeaseSettled', 'LeaseClosed']));
    const ids = body.items.map(({ id }) => BigInt(id));
    expect(ids).toEqual([...ids].sort((a, b) => (a < b ? -1 : 1)));
    expect(JSON.stringify(body)).not.toContain('hush');

    // It has ended: a stream of it gives everything, says so, and ends.
    const stream = await running.stream(tenant, `/v1/orders/${placed.orderId}/timeline`, { 'last-event-id': body.items.at(-2)!.id });
    expect(stream.headers.get('content-type')).toContain('text/event-stream');
    expect(await stream.text()).toMatch(/^id: \d+\nevent: \w+\ndata: \{.*\}\n\nevent: end\ndata: \{\}\n\n$/);
    expect((await running.post(tenant, `/v1/orders/${placed.orderId}/cancel`, {})).status).toBe(409);
    expect((await running.post<LeaseDto>(tenant, `/v1/leases/${active.leaseId}/close`, {})).body.state).toBe('closed');
  });

  it('stores and publishes secrets only sealed, to the orchestrator and to nobody else', async () => {
    const secret = 'planted-5d1c8e';
    const placed = await submit({ manifest: sdl({ secret }) });
    const rows = await running.dataSource.query<{ dump: string }[]>(`
      SELECT json_agg(e)::text AS dump FROM events e
      UNION ALL SELECT json_agg(o)::text FROM orders o UNION ALL SELECT json_agg(l)::text FROM leases l
      UNION ALL SELECT json_agg(t)::text FROM timeline t`);
    const dump = rows.map((row) => row.dump).join();
    expect(dump).toContain(placed.orderId);
    expect(dump).not.toContain(secret);
    const [stored] = await running.dataSource.query<{ secrets: never }[]>(
      `SELECT data->'secrets' AS secrets FROM events WHERE type = 'LeaseProposed' AND data->>'orderId' = $1`,
      [placed.orderId],
    );
    const opened = await open(running.sealingKey.privateKey, stored!.secrets, placed.orderId);
    expect(Buffer.from(opened).toString()).toContain(secret);
    await running.post(tenant, `/v1/orders/${placed.orderId}/cancel`, {});
  });

  it('gives the same order for the same idempotency key, over REST and gRPC', async () => {
    const body = { manifest: sdl() };
    const [first, second] = await Promise.all([
      running.call<{ order: { orderId: string } }>(tenant, 'SubmitOrder', { order: body, idempotencyKey: 'once' }),
      running.call<{ order: { orderId: string } }>(tenant, 'SubmitOrder', { order: body, idempotencyKey: 'once' }),
    ]);
    expect(second.order.orderId).toBe(first.order.orderId);
    expect((await submit(body, { 'idempotency-key': 'once' })).orderId).toBe(first.order.orderId);
    await expect(
      running.call(tenant, 'SubmitOrder', { order: { manifest: sdl({ gpus: 2 }) }, idempotencyKey: 'once' }),
    ).rejects.toMatchObject({ code: 3, details: expect.stringContaining('another order') });
    const other = await running.call<{ order: { orderId: string } }>(stranger, 'SubmitOrder', { order: body, idempotencyKey: 'once' });
    expect(other.order.orderId).not.toBe(first.order.orderId);
    await running.call(stranger, 'CancelOrder', { orderId: other.order.orderId });
    await running.call(tenant, 'CancelOrder', { orderId: first.order.orderId });
    expect((await order(first.order.orderId)).state).toBe('cancelled');
    expect(freeOf('alpha-4090')).toBe(4);
  });

  it('quotes without holding anything', async () => {
    const quote = await running.post<{ matched: boolean; leases: { candidates: object[] }[]; rate: { micros: string } }>(tenant, '/v1/quotes', {
      manifest: sdl({ model: 'h100', price: '100000' }),
      near: { latitude: 48.1, longitude: 11.6 },
    });
    expectStatus(quote, 200);
    expect(quote.body).toMatchObject({
      matched: true,
      listRate: { usdc: '12.00' },
      leases: [{ group: 'anywhere', candidates: [{ offerId: idOf('offer', 'beta-h100'), region: 'eu-west' }] }],
      explanation: null,
    });
    const none = await running.post<object>(tenant, '/v1/quotes', { manifest: sdl({ model: 'h100', price: '1' }) });
    expect(none.body).toMatchObject({ matched: false, rate: null, explanation: { smallestChange: { field: 'maxRateUsdcPerHour' } } });
    expect(freeOf('beta-h100')).toBe(4);
    const byGrpc = await running.call<{ matched: boolean }>(tenant, 'Quote', { order: { manifest: sdl({ model: 'h100', price: '100000' }) } });
    expect(byGrpc).toMatchObject({ matched: true, cloudListUsdcPerHour: '12.00' });
  });

  it('asks a provider without a standing policy, and takes only its owner’s answer', async () => {
    const placed = await submit({ manifest: sdl({ model: 'h100', price: '100000' }) });
    const [{ leaseId }] = placed.leases as [LeaseDto];
    expect(placed.leases).toMatchObject([{ state: 'proposed' }]);
    expect((await running.post(stranger, `/v1/leases/${leaseId}/accept`, {})).status).toBe(404);
    expect((await running.post(tenant, `/v1/leases/${leaseId}/accept`, {})).status).toBe(404);
    expect((await running.get<LeaseDto>(owner, `/v1/leases/${leaseId}`)).body.leaseId).toBe(leaseId);
    const accepted = await running.post<LeaseDto>(owner, `/v1/leases/${leaseId}/accept`, {});
    expect(accepted.body.state).toBe('accepted');
    expect((await running.post<{ code: string }>(owner, `/v1/leases/${leaseId}/reject`, {})).body.code).toBe('lease_not_proposed');
    await running.post(tenant, `/v1/orders/${placed.orderId}/cancel`, {});

    const declined = await submit({ manifest: sdl({ model: 'h100', price: '100000' }) });
    const [proposal] = declined.leases as [LeaseDto];
    await running.post(owner, `/v1/leases/${proposal.leaseId}/reject`, { reason: 'maintenance' });
    const after = await order(declined.orderId);
    expect(after).toMatchObject({ state: 'unmatched', leases: [{ state: 'rejected', closeDetail: 'maintenance' }] });
    expect(after.explanation?.constraints.map(({ constraint }) => constraint)).toContain('provider_declined');
    await running.post(tenant, `/v1/orders/${declined.orderId}/cancel`, {});
  });

  it('lets nobody see or touch what is another’s', async () => {
    const placed = await submit({ manifest: sdl() });
    const [{ leaseId }] = placed.leases as [LeaseDto];
    const { orderId } = placed;
    for (const path of [`/v1/orders/${orderId}`, `/v1/orders/${orderId}/explanation`, `/v1/orders/${orderId}/timeline`, `/v1/leases/${leaseId}`, '/v1/orders/nonsense']) {
      expect((await running.get<{ code: string }>(stranger, path)).status).toBe(404);
    }
    expect((await running.stream(stranger, `/v1/orders/${orderId}/timeline`)).status).toBe(404);
    for (const path of [`/v1/orders/${orderId}/cancel`, `/v1/leases/${leaseId}/close`, `/v1/leases/${leaseId}/reject`]) {
      expect((await running.post(stranger, path, {})).status).toBe(404);
    }
    await expect(running.call(stranger, 'GetOrder', { orderId })).rejects.toMatchObject({ code: 5 });
    expect((await running.get<{ items: object[] }>(stranger, '/v1/leases')).body.items.every((l) => (l as LeaseDto).orderId !== orderId)).toBe(true);
    expect((await running.get<{ items: object[] }>(stranger, `/v1/leases?orderId=${orderId}`)).body.items).toEqual([]);
    expect((await order(orderId)).state).toBe('matched');
    await running.post(tenant, `/v1/orders/${orderId}/cancel`, {});
  });

  it.each<[string, object | string, number, object]>([
    ['a manifest that is not YAML', { manifest: 'a: [' }, 422, { code: 'invalid_manifest', errors: [{ line: 1 }] }],
    ['a field of nobody', { manifest: sdl(), gpu: 1 }, 422, { code: 'invalid_request' }],
    ['a negative price', { manifest: sdl(), maxRateUsdcPerHour: '-1' }, 422, { errors: [{ pointer: '/maxRateUsdcPerHour' }] }],
    ['an unknown region', { manifest: sdl(), regions: ['atlantis'] }, 422, {}],
    ['an endless duration', { manifest: sdl(), durationSeconds: 100_000_000 }, 422, { code: 'duration_too_long' }],
    ['a wait beyond the limit', { manifest: sdl(), waitSeconds: 999_999_999 }, 422, { code: 'wait_too_long' }],
    ['text that is not JSON', '{', 400, {}],
  ])('refuses %s and changes nothing', async (_, body, status, problem) => {
    const count = async () => (await running.dataSource.query<{ n: string }[]>('SELECT count(*) AS n FROM events'))[0]!.n;
    const before = await count();
    const answer = await running.post<object>(tenant, '/v1/orders', body);
    expectStatus(answer, status);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(answer.body).toMatchObject(problem);
    expect(await count()).toBe(before);
  });

  it('waits for capacity, says why, and is woken by it; watchers hear of it', async () => {
    const full = await submit({ manifest: sdl({ gpus: 4 }) });
    const waiting = await submit({ manifest: sdl({ gpus: 2 }) });
    expect(waiting.state).toBe('unmatched');
    const why = await running.get<{ smallestChange: { field: string } }>(tenant, `/v1/orders/${waiting.orderId}/explanation`);
    expect(why.body.smallestChange.field).toBe('wait');

    const seen: string[] = [];
    const stream = running.watch(tenant, 'WatchOrder', { orderId: waiting.orderId });
    stream.on('data', (message: { order: { state: string } }) => seen.push(message.order.state));
    const ended = new Promise((resolve) => stream.on('end', resolve));
    await eventually(() => expect(seen).toEqual(['unmatched']));
    const patient = running.get<OrderDto>(tenant, `/v1/orders/${waiting.orderId}`);
    await running.post(tenant, `/v1/orders/${full.orderId}/cancel`, {});
    await eventually(async () => expect((await order(waiting.orderId)).state).toBe('matched'));
    expect((await patient).status).toBe(200);
    await eventually(() => expect(seen).toContain('matched'));
    await running.call(tenant, 'CancelOrder', { orderId: waiting.orderId });
    await ended;
    expect(seen.at(-1)).toBe('cancelled');
  });

  it('goes back to the book when there is no money, and forward when there is', async () => {
    const placed = await submit({ manifest: sdl() });
    const [{ leaseId, lock }] = placed.leases as [LeaseDto];
    const failed = { type: 'LeaseFundingFailed', leaseId, cause: 'insufficient_escrow', detail: 'the escrow is empty', shortfallMicros: BigInt(lock.micros), atMs: clock.now() } as DomainEvent;
    await running.say(leaseId, failed);
    await eventually(async () => expect((await order(placed.orderId)).state).toBe('unmatched'));
    expect((await order(placed.orderId)).explanation?.summary).toContain('escrow is short');
    const escrow = (free: bigint): DomainEvent =>
      ({ type: 'EscrowChanged', accountId: tenant.accountId, depositedMicros: free, freeMicros: free, lockedMicros: 0n, spentMicros: 0n, withdrawnMicros: 0n, atMs: clock.advance(1) }) as DomainEvent;
    const enough = escrow(parseUsdc('100'));
    await running.say(tenant.accountId, enough);
    await eventually(async () => expect((await order(placed.orderId)).state).toBe('matched'));
    await running.repeat(tenant.accountId, enough);
    await running.repeat(leaseId, failed);
    expect((await order(placed.orderId)).leases.map(({ state, closeReason }) => [state, closeReason])).toEqual([
      ['lapsed', 'funding_failed'],
      ['accepted', null],
    ]);
    await running.post(tenant, `/v1/orders/${placed.orderId}/cancel`, {});
  });

  it('keeps its deadlines by its own clock', async () => {
    const placed = await submit({ manifest: sdl({ gpus: 40 }), waitSeconds: 60 });
    expect(placed.state).toBe('unmatched');
    clock.advance(60_001);
    await eventually(async () => expect((await order(placed.orderId)).state).toBe('expired'));
    const unfunded = await submit({ manifest: sdl() });
    clock.advance(120_001);
    await eventually(async () => expect((await order(unfunded.orderId)).leases[0]).toMatchObject({ state: 'lapsed', closeReason: 'funding_timeout' }));
    expect(freeOf('alpha-4090')).toBe(4);
    await running.post(tenant, `/v1/orders/${unfunded.orderId}/cancel`, {});
  });

  it('closes a lease that fails to start, runs out, or loses its provider, each with its reason', async () => {
    const failing = await submit({ manifest: sdl() });
    const funded = await fund(failing.orderId);
    await workload(funded.leaseId, { type: 'WorkloadFailed', phase: 'start', cause: 'image_pull', message: 'no such image' });
    await leaseBecomes(funded.leaseId, 'closing');
    expect(await order(failing.orderId)).toMatchObject({ state: 'cancelled', endedReason: 'start_failed' });
    await finish(funded.leaseId);

    const short = await submit({ manifest: sdl() });
    const exhausted = await run(short.orderId);
    await running.say(exhausted.leaseId, { type: 'EscrowExhausted', leaseId: exhausted.leaseId, zeroTimeAtMs: clock.now(), atMs: clock.now() } as DomainEvent);
    await leaseBecomes(exhausted.leaseId, 'closing');
    expect((await lease(exhausted.leaseId)).closeReason).toBe('escrow_exhausted');
    await finish(exhausted.leaseId);

    const unlucky = await submit({ manifest: sdl() });
    const lost = await run(unlucky.orderId);
    const providerId = idOf('provider', 'alpha');
    await market('alpha', [{ type: 'ProviderOffline', providerId, lastSeenAtMs: clock.now(), atMs: clock.now() }]);
    await leaseBecomes(lost.leaseId, 'closing');
    expect((await lease(lost.leaseId)).closeReason).toBe('provider_lost');
    expect(freeOf('alpha-4090')).toBe(3);
    await market('alpha', [{ type: 'ProviderOnline', providerId, atMs: clock.now() }]);
    await finish(lost.leaseId);
  });

  it('lists by state and page, newest first', async () => {
    const first = await running.get<{ items: OrderDto[]; nextCursor: string }>(tenant, '/v1/orders?state=cancelled&limit=2');
    expect(first.body.items).toHaveLength(2);
    const second = await running.get<{ items: OrderDto[] }>(tenant, `/v1/orders?state=cancelled&limit=2&cursor=${first.body.nextCursor}`);
    const all = [...first.body.items, ...second.body.items];
    expect(new Set(all.map(({ orderId }) => orderId)).size).toBe(all.length);
    expect(all.map(({ submittedAt }) => submittedAt)).toEqual(all.map(({ submittedAt }) => submittedAt).sort().reverse());
    expect((await running.get(tenant, '/v1/orders?cursor=nonsense')).status).toBe(422);
  });

  const facts = (exchange: Exchange) => ({
    orders: new Map([...exchange.orders()].sort((a, b) => (a.orderId < b.orderId ? -1 : 1)).map((one) => [one.orderId, one])),
    leases: new Map([...exchange.leases()].sort((a, b) => (a.leaseId < b.leaseId ? -1 : 1)).map((one) => [one.leaseId, one])),
    usage: new Map([...exchange.market.offers()].map((one) => [one.offerId, exchange.book.usage(one)])),
    providers: new Map([...exchange.market.providers()].map((one) => [one.providerId, one])),
    balance: exchange.balance(tenant.accountId),
  });

  it('is the same after a restart, and goes on where it was; what is delivered twice changes nothing', async () => {
    const kept = await submit({ manifest: sdl({ gpus: 2 }) });
    const active = await run(kept.orderId);
    const waiting = await submit({ manifest: sdl({ gpus: 3 }) });
    expect(waiting.state).toBe('unmatched');
    const before = facts(running.matchmaker.exchange);
    const store = (running.matchmaker as unknown as { store: EventStore }).store;
    expect(facts(await loadExchange(running.dataSource, store))).toEqual(before);
    await running.restart();
    await eventually(() => expect(facts(running.matchmaker.exchange)).toEqual(before));

    const rows = async (): Promise<unknown> => [
      await running.dataSource.query('SELECT * FROM orders ORDER BY 1'),
      await running.dataSource.query('SELECT * FROM leases ORDER BY 1'),
      await running.dataSource.query('SELECT count(*) FROM events'),
    ];
    const committed = await rows();
    const again = { type: 'WorkloadRunning', leaseId: active.leaseId, runningSinceMs: clock.now(), endpoints: [], atMs: clock.now() } as unknown as DomainEvent;
    await running.repeat(active.leaseId, again);
    await running.repeat(idOf('provider', 'alpha'), offerPublished('alpha', 'alpha-4090', { nodes: [{ gpus: 9 }] }));
    // A later record of the same key is taken only after those: when it has arrived, they have been dropped.
    await workload(active.leaseId, { type: 'WorkloadUnknown', lastSeenAtMs: clock.now() });
    await eventually(async () => {
      const { body } = await running.get<{ items: { type: string }[] }>(tenant, `/v1/orders/${kept.orderId}/timeline`);
      expect(body.items.at(-1)?.type).toBe('WorkloadUnknown');
    });
    expect(await rows()).toEqual(committed);

    await running.post(tenant, `/v1/leases/${active.leaseId}/close`, {});
    await finish(active.leaseId);
    await eventually(async () => expect((await order(waiting.orderId)).state).toBe('matched'));
  });

  it('gives way to a process that started after it', async () => {
    await running.dataSource.query('UPDATE writer_epoch SET epoch = epoch + 1');
    const refused = await running.post<{ code: string }>(tenant, '/v1/orders', { manifest: sdl() });
    expect(refused.status).toBe(503);
    expect((await fetch(`${running.origin}/health/ready`)).status).toBe(503);
  }, 20_000);
});
