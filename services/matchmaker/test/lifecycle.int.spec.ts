import type { EventStore } from '@gridbourse/event-store';
import type { DomainEvent } from '@gridbourse/events';
import { parseUsdc } from '@gridbourse/kernel';
import { eventually } from '@gridbourse/testing';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Exchange } from '../src/domain/process/exchange.ts';
import type { LeaseDto, OrderDto } from '../src/features/orders/order.dto.ts';
import { loadExchange } from '../src/writer/load-exchange.ts';
import { idOf, offerPublished } from './builders.ts';
import { sdl } from './manifests.ts';
import { expectStatus } from './running-matchmaker.ts';
import { Stage, tenant } from './stage.ts';

// Real here: Postgres, the embedded bus, the whole service with REST and gRPC. Played by the test: all other services.

/** Generous: other suites run beside this one. */
jest.setTimeout(30_000);

describe('the matchmaker, through the lives of orders', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await Stage.open();
  }, 60_000);
  afterAll(() => stage?.close(), 30_000);

  it('takes an order through its whole life, and shows every step', async () => {
    const placed = await stage.submit({ manifest: sdl(), durationSeconds: 3_600 });
    expect(placed).toMatchObject({
      state: 'matched',
      name: 'web',
      leases: [{ state: 'accepted', group: 'anywhere' }],
    });
    expect(stage.freeOf('alpha-4090')).toBe(3);
    const active = await stage.run(placed.orderId);
    expect(active).toMatchObject({ chainLeaseKey: '0x000000000000000000000001', listRate: null });
    expect((await stage.order(placed.orderId)).state).toBe('fulfilled');
    const closing = await stage.running.post<LeaseDto>(tenant, `/v1/leases/${active.leaseId}/close`, {});
    expectStatus(closing, 202);
    expect(closing.body).toMatchObject({ state: 'closing', closeReason: 'tenant' });
    await stage.finish(active.leaseId);
    expect(await stage.lease(active.leaseId)).toMatchObject({
      paid: { micros: '1000' },
      refunded: { micros: '2000' },
      closeReason: 'tenant',
    });
    expect(stage.freeOf('alpha-4090')).toBe(4);

    const { body } = await stage.running.get<{ items: { id: string; type: string; text: string }[] }>(
      tenant,
      `/v1/orders/${placed.orderId}/timeline`,
    );
    const types = body.items.map(({ type }) => type);
    expect(types.slice(0, 4)).toEqual(['OrderSubmitted', 'LeaseProposed', 'LeaseAccepted', 'OrderMatched']);
    expect(types).toEqual(
      expect.arrayContaining([
        'LeaseFunded',
        'WorkloadRunning',
        'LeaseActivated',
        'OrderFulfilled',
        'LeaseClosing',
        'MeterClosed',
        'CapacityReleased',
        'LeaseSettled',
        'LeaseClosed',
      ]),
    );
    const ids = body.items.map(({ id }) => BigInt(id));
    expect(ids).toEqual([...ids].sort((a, b) => (a < b ? -1 : 1)));
    expect(JSON.stringify(body)).not.toContain('hush');

    // It has ended: a stream of it gives everything, says so, and ends.
    const stream = await stage.running.stream(tenant, `/v1/orders/${placed.orderId}/timeline`, {
      'last-event-id': body.items.at(-2)!.id,
    });
    expect(stream.headers.get('content-type')).toContain('text/event-stream');
    expect(await stream.text()).toMatch(/^id: \d+\nevent: \w+\ndata: \{.*\}\n\nevent: end\ndata: \{\}\n\n$/);
    expect((await stage.running.post(tenant, `/v1/orders/${placed.orderId}/cancel`, {})).status).toBe(409);
    expect(
      (await stage.running.post<LeaseDto>(tenant, `/v1/leases/${active.leaseId}/close`, {})).body.state,
    ).toBe('closed');
  });

  it('waits for capacity, says why, and is woken by it; watchers hear of it', async () => {
    const full = await stage.submit({ manifest: sdl({ gpus: 4 }) });
    const waiting = await stage.submit({ manifest: sdl({ gpus: 2 }) });
    expect(waiting.state).toBe('unmatched');
    const why = await stage.running.get<{ smallestChange: { field: string } }>(
      tenant,
      `/v1/orders/${waiting.orderId}/explanation`,
    );
    expect(why.body.smallestChange.field).toBe('wait');

    const seen: string[] = [];
    const stream = stage.running.watch(tenant, 'WatchOrder', { orderId: waiting.orderId });
    stream.on('data', (message: { order: { state: string } }) => seen.push(message.order.state));
    const ended = new Promise((resolve) => stream.on('end', resolve));
    await eventually(() => expect(seen).toEqual(['unmatched']));
    const patient = stage.running.get<OrderDto>(tenant, `/v1/orders/${waiting.orderId}`);
    await stage.running.post(tenant, `/v1/orders/${full.orderId}/cancel`, {});
    await eventually(async () => expect((await stage.order(waiting.orderId)).state).toBe('matched'));
    expect((await patient).status).toBe(200);
    await eventually(() => expect(seen).toContain('matched'));
    await stage.running.call(tenant, 'CancelOrder', { orderId: waiting.orderId });
    await ended;
    expect(seen.at(-1)).toBe('cancelled');
  });

  it('goes back to the book when there is no money, and forward when there is', async () => {
    const placed = await stage.submit({ manifest: sdl() });
    const [{ leaseId, lock }] = placed.leases as [LeaseDto];
    const failed = {
      type: 'LeaseFundingFailed',
      leaseId,
      cause: 'insufficient_escrow',
      detail: 'the escrow is empty',
      shortfallMicros: BigInt(lock.micros),
      atMs: stage.clock.now(),
    } as DomainEvent;
    await stage.running.say(leaseId, failed);
    await eventually(async () => expect((await stage.order(placed.orderId)).state).toBe('unmatched'));
    expect((await stage.order(placed.orderId)).explanation?.summary).toContain('escrow is short');
    const escrow = (free: bigint): DomainEvent =>
      ({
        type: 'EscrowChanged',
        accountId: tenant.accountId,
        depositedMicros: free,
        freeMicros: free,
        lockedMicros: 0n,
        spentMicros: 0n,
        withdrawnMicros: 0n,
        atMs: stage.clock.advance(1),
      }) as DomainEvent;
    const enough = escrow(parseUsdc('100'));
    await stage.running.say(tenant.accountId, enough);
    await eventually(async () => expect((await stage.order(placed.orderId)).state).toBe('matched'));
    await stage.running.repeat(tenant.accountId, enough);
    await stage.running.repeat(leaseId, failed);
    expect(
      (await stage.order(placed.orderId)).leases.map(({ state, closeReason }) => [state, closeReason]),
    ).toEqual([
      ['lapsed', 'funding_failed'],
      ['accepted', null],
    ]);
    await stage.running.post(tenant, `/v1/orders/${placed.orderId}/cancel`, {});
  });

  it('keeps its deadlines by its own clock', async () => {
    const placed = await stage.submit({ manifest: sdl({ gpus: 40 }), waitSeconds: 60 });
    expect(placed.state).toBe('unmatched');
    stage.clock.advance(60_001);
    await eventually(async () => expect((await stage.order(placed.orderId)).state).toBe('expired'));
    const unfunded = await stage.submit({ manifest: sdl() });
    stage.clock.advance(120_001);
    await eventually(async () =>
      expect((await stage.order(unfunded.orderId)).leases[0]).toMatchObject({
        state: 'lapsed',
        closeReason: 'funding_timeout',
      }),
    );
    expect(stage.freeOf('alpha-4090')).toBe(4);
    await stage.running.post(tenant, `/v1/orders/${unfunded.orderId}/cancel`, {});
  });

  it('closes a lease that fails to start, runs out, or loses its provider, each with its reason', async () => {
    const failing = await stage.submit({ manifest: sdl() });
    const funded = await stage.fund(failing.orderId);
    await stage.workload(funded.leaseId, {
      type: 'WorkloadFailed',
      phase: 'start',
      cause: 'image_pull',
      message: 'no such image',
    });
    await stage.leaseBecomes(funded.leaseId, 'closing');
    expect(await stage.order(failing.orderId)).toMatchObject({
      state: 'cancelled',
      endedReason: 'start_failed',
    });
    await stage.finish(funded.leaseId);

    const short = await stage.submit({ manifest: sdl() });
    const exhausted = await stage.run(short.orderId);
    await stage.running.say(exhausted.leaseId, {
      type: 'EscrowExhausted',
      leaseId: exhausted.leaseId,
      zeroTimeAtMs: stage.clock.now(),
      atMs: stage.clock.now(),
    } as DomainEvent);
    await stage.leaseBecomes(exhausted.leaseId, 'closing');
    expect((await stage.lease(exhausted.leaseId)).closeReason).toBe('escrow_exhausted');
    await stage.finish(exhausted.leaseId);

    const unlucky = await stage.submit({ manifest: sdl() });
    const lost = await stage.run(unlucky.orderId);
    const providerId = idOf('provider', 'alpha');
    await stage.market('alpha', [
      { type: 'ProviderOffline', providerId, lastSeenAtMs: stage.clock.now(), atMs: stage.clock.now() },
    ]);
    await stage.leaseBecomes(lost.leaseId, 'closing');
    expect((await stage.lease(lost.leaseId)).closeReason).toBe('provider_lost');
    expect(stage.freeOf('alpha-4090')).toBe(3);
    await stage.market('alpha', [{ type: 'ProviderOnline', providerId, atMs: stage.clock.now() }]);
    await stage.finish(lost.leaseId);
  });

  const facts = (exchange: Exchange) => ({
    orders: new Map(
      [...exchange.orders()]
        .sort((a, b) => (a.orderId < b.orderId ? -1 : 1))
        .map((one) => [one.orderId, one]),
    ),
    leases: new Map(
      [...exchange.leases()]
        .sort((a, b) => (a.leaseId < b.leaseId ? -1 : 1))
        .map((one) => [one.leaseId, one]),
    ),
    usage: new Map([...exchange.market.offers()].map((one) => [one.offerId, exchange.book.usage(one)])),
    providers: new Map([...exchange.market.providers()].map((one) => [one.providerId, one])),
    balance: exchange.balance(tenant.accountId),
  });

  it('is the same after a restart, and goes on where it was; what is delivered twice changes nothing', async () => {
    const kept = await stage.submit({ manifest: sdl({ gpus: 2 }) });
    const active = await stage.run(kept.orderId);
    const waiting = await stage.submit({ manifest: sdl({ gpus: 3 }) });
    expect(waiting.state).toBe('unmatched');
    const before = facts(stage.running.matchmaker.exchange);
    const store = (stage.running.matchmaker as unknown as { store: EventStore }).store;
    expect(facts(await loadExchange(stage.running.dataSource, store))).toEqual(before);
    await stage.running.restart();
    await eventually(() => expect(facts(stage.running.matchmaker.exchange)).toEqual(before));

    const rows = async (): Promise<unknown> => [
      await stage.running.dataSource.query('SELECT * FROM orders ORDER BY 1'),
      await stage.running.dataSource.query('SELECT * FROM leases ORDER BY 1'),
      await stage.running.dataSource.query('SELECT count(*) FROM events'),
    ];
    const committed = await rows();
    const again = {
      type: 'WorkloadRunning',
      leaseId: active.leaseId,
      runningSinceMs: stage.clock.now(),
      endpoints: [],
      atMs: stage.clock.now(),
    } as unknown as DomainEvent;
    await stage.running.repeat(active.leaseId, again);
    await stage.running.repeat(
      idOf('provider', 'alpha'),
      offerPublished('alpha', 'alpha-4090', { nodes: [{ gpus: 9 }] }),
    );
    // A later record of the same key is taken only after those: when it has arrived, they have been dropped.
    await stage.workload(active.leaseId, { type: 'WorkloadUnknown', lastSeenAtMs: stage.clock.now() });
    await eventually(async () => {
      const { body } = await stage.running.get<{ items: { type: string }[] }>(
        tenant,
        `/v1/orders/${kept.orderId}/timeline`,
      );
      expect(body.items.at(-1)?.type).toBe('WorkloadUnknown');
    });
    expect(await rows()).toEqual(committed);

    await stage.running.post(tenant, `/v1/leases/${active.leaseId}/close`, {});
    await stage.finish(active.leaseId);
    await eventually(async () => expect((await stage.order(waiting.orderId)).state).toBe('matched'));
  });

  it('gives way to a process that started after it', async () => {
    await stage.running.dataSource.query('UPDATE writer_epoch SET epoch = epoch + 1');
    const refused = await stage.running.post<{ code: string }>(tenant, '/v1/orders', { manifest: sdl() });
    expect(refused.status).toBe(503);
    expect((await fetch(`${stage.running.origin}/health/ready`)).status).toBe(503);
  });
});
