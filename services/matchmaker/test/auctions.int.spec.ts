import type { OrderId } from '@gridbourse/kernel';
import { eventually } from '@gridbourse/testing';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { BidDto, OpenAuctionDto } from '../src/features/auctions/auction.dto.ts';
import type { OrderDto } from '../src/features/orders/order.dto.ts';
import { loadExchange } from '../src/writer/load-exchange.ts';
import { idOf, offerPublished, readyProvider } from './builders.ts';
import { sdl } from './manifests.ts';
import { expectStatus, person, type Person } from './running-matchmaker.ts';
import { owner, Stage, stranger, tenant } from './stage.ts';

// Real here: Postgres, the embedded bus, the whole service with REST and gRPC. Played by the test: all other services.

/** Generous: other suites run beside this one. */
jest.setTimeout(60_000);

const alice = person('owner of alice');
const bob = person('owner of bob');
const AUCTION = { manifest: sdl(), mode: 'auction', windowSeconds: 30 };
const offerOf = (name: string): string => idOf('offer', `${name}-4090`);
type Problem = { code: string; detail: string; errors?: { pointer: string; message: string }[] };

describe('auctions', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await Stage.open();
    await stage.running.admit(alice, bob);
    for (const name of ['alice', 'bob']) {
      await stage.market(name, [
        ...readyProvider(name),
        offerPublished(name, `${name}-4090`, { nodes: [{ gpus: 4 }], perGpu: '3.00' }),
      ]);
    }
    await eventually(() => expect([...stage.running.matchmaker.exchange.market.offers()]).toHaveLength(4));
  }, 60_000);
  afterAll(() => stage?.close(), 30_000);

  const open = (body: object = {}): Promise<OrderDto> => stage.submit({ ...AUCTION, ...body });
  const place = (who: Person, body: object, headers: Record<string, string> = {}) =>
    stage.running.post<BidDto & Problem>(who, '/v1/bids', body, headers);
  const bid = async (
    who: Person,
    name: string,
    orderId: string,
    rateUsdcPerHour: string,
  ): Promise<BidDto> => {
    const answer = await place(who, { orderId, offerId: offerOf(name), rateUsdcPerHour });
    expectStatus(answer, 201);
    return answer.body;
  };
  const bidsSeenBy = async (who: Person, orderId: string): Promise<BidDto[]> =>
    (await stage.running.get<{ items: BidDto[] }>(who, `/v1/bids?orderId=${orderId}`)).body.items;
  const close = async (orderId: string): Promise<OrderDto> => {
    stage.clock.advance(30_000);
    return eventually(async () => {
      const order = await stage.order(orderId);
      expect(order.state).not.toBe('bidding');
      return order;
    });
  };
  const cancel = (orderId: string) => stage.running.post(tenant, `/v1/orders/${orderId}/cancel`, {});

  it('keeps bids sealed until the close, then leases at the price of the best and shows why', async () => {
    const order = await open();
    expect(order).toMatchObject({
      ...{ state: 'bidding', mode: 'auction', leases: [], explanation: null },
      auction: { closesAt: new Date(stage.clock.now() + 30_000).toISOString(), result: null },
    });
    const { orderId } = order;
    const auctions = await stage.running.get<{ items: OpenAuctionDto[] }>(alice, '/v1/auctions');
    expect(auctions.body.items).toMatchObject([
      {
        orderId,
        groups: [
          {
            maxRate: { usdc: expect.any(String) },
            needs: { gpus: 1, cpuMillis: 2_000 },
            offers: [{ offerId: offerOf('alice'), bid: null }],
          },
        ],
      },
    ]);
    expect(JSON.stringify(auctions.body)).not.toMatch(
      new RegExp(`nginx|${tenant.accountId}|${tenant.wallet}`),
    );

    await bid(alice, 'alice', orderId, '0.111113');
    const best = await bid(bob, 'bob', orderId, '0.101117');
    expect(best).toMatchObject({
      state: 'sealed',
      revision: 1,
      rate: { micros: '101117' },
      score: null,
      leaseId: null,
    });
    // Sealed: nobody but the bidder, and nothing that leaves the service, tells of it.
    const AMOUNTS = /111113|101117/;
    for (const path of [
      `/v1/orders/${orderId}`,
      `/v1/orders/${orderId}/explanation`,
      `/v1/orders/${orderId}/timeline`,
      `/v1/bids?orderId=${orderId}`,
      `/v1/bids/${best.bidId}`,
    ]) {
      for (const who of [tenant, stranger, owner]) {
        expect(JSON.stringify((await stage.running.get(who, path)).body)).not.toMatch(AMOUNTS);
      }
    }
    expect(JSON.stringify((await stage.running.get(alice, '/v1/auctions')).body)).not.toMatch(/101117/);
    expect((await bidsSeenBy(alice, orderId)).map(({ rate }) => rate.micros)).toEqual(['111113']);
    const publicRows = await stage.running.dataSource.query<{ type: string; data: object }[]>(
      `SELECT type, data FROM events WHERE stream_id = $1 AND type NOT IN ('BidPlaced', 'OrderAnnotated')`,
      [orderId],
    );
    expect(publicRows.map(({ type }) => type)).toEqual(['OrderSubmitted', 'BiddingOpened']);
    const [relayed] = await stage.running.dataSource.query<{ n: string }[]>(
      `SELECT count(*) AS n FROM events WHERE type = 'BidPlaced' AND sequence IS NOT NULL`,
    );
    expect(relayed!.n).toBe('0');

    const closed = await close(orderId);
    expect(closed).toMatchObject({
      state: 'matched',
      rate: { micros: '101117' },
      leases: [{ offerId: offerOf('bob'), rate: { micros: '101117' }, state: 'accepted' }],
      auction: {
        result: {
          ...{ bids: 2, standing: 2, failures: [] },
          groups: [
            {
              winner: { bidId: best.bidId, rate: { micros: '101117' } },
              runnerUp: { offerId: offerOf('alice'), rate: { micros: '111113' } },
            },
          ],
        },
      },
    });
    const why = await stage.running.get<{ summary: string }>(tenant, `/v1/orders/${orderId}/explanation`);
    expect(why.body.summary).toContain(`${idOf('provider', 'bob')} at 0.101117 USDC/h`);
    expect(why.body.summary).toContain(`ahead of ${idOf('provider', 'alice')} at 0.111113 USDC/h`);
    expect((await bidsSeenBy(tenant, orderId)).map(({ state }) => state).sort()).toEqual(['lost', 'won']);
    expect((await bidsSeenBy(alice, orderId)).map(({ state }) => state)).toEqual(['lost']);
    expect(await bidsSeenBy(stranger, orderId)).toEqual([]);
    expect((await stage.running.get(alice, `/v1/bids/${best.bidId}`)).status).toBe(404);
    const timeline = await stage.running.get<{ items: { type: string }[] }>(
      tenant,
      `/v1/orders/${orderId}/timeline`,
    );
    expect(timeline.body.items.map(({ type }) => type)).toEqual([
      ...[
        'OrderSubmitted',
        'BiddingOpened',
        'BiddingClosed',
        'LeaseProposed',
        'LeaseAccepted',
        'OrderMatched',
      ],
    ]);

    const active = await stage.run(orderId);
    expect(active.rate.micros).toBe('101117');
    await stage.running.post(tenant, `/v1/leases/${active.leaseId}/close`, {});
    await stage.finish(active.leaseId);
    expect((await bidsSeenBy(bob, orderId))[0]).toMatchObject({ state: 'won', leaseId: active.leaseId });
    // The order is over and out of memory: a late bid is told so all the same.
    const late = await place(alice, { orderId, offerId: offerOf('alice'), rateUsdcPerHour: '0.01' });
    expect([late.status, late.body.code]).toEqual([409, 'auction_closed']);
    expect(late.body.detail).toContain(order.auction!.closesAt);
  });

  it('tells those who watch the order nothing of its bids', async () => {
    const { orderId } = await open();
    const seen: string[] = [];
    const stream = stage.running.watch(tenant, 'WatchOrder', { orderId });
    stream.on('data', (message: { order: { state: string } }) => seen.push(message.order.state));
    const ended = new Promise((resolve) => stream.on('end', resolve));
    await eventually(() => expect(seen).toEqual(['bidding']));
    await bid(alice, 'alice', orderId, '0.31');
    await bid(bob, 'bob', orderId, '0.32');
    await close(orderId);
    await cancel(orderId);
    await ended;
    expect(seen.filter((state) => state === 'bidding')).toHaveLength(1);
    expect(seen.at(-1)).toBe('cancelled');
  });

  it('takes the same bid once, and another in its place', async () => {
    const { orderId } = await open();
    const body = { orderId, offerId: offerOf('alice'), rateUsdcPerHour: '0.2' };
    const key = { 'idempotency-key': `bid-on-${orderId}` };
    const [first, again] = [await place(alice, body, key), await place(alice, body, key)];
    expect(again.body).toEqual(first.body);
    const other = await place(alice, { ...body, rateUsdcPerHour: '0.3' }, key);
    expect([other.status, other.body.code]).toEqual([422, 'idempotency_key_reused']);
    expect((await place(alice, body)).body.revision).toBe(1);
    const replaced = await place(alice, { ...body, group: 'anywhere', rateUsdcPerHour: '0.3' });
    expect(replaced.body).toMatchObject({ bidId: first.body.bidId, revision: 2, rate: { micros: '300000' } });
    const byGrpc = await stage.running.auctionCall<{ bid: { bidId: string; revision: number } }>(
      alice,
      'PlaceBid',
      {
        ...body,
        rateUsdcPerHour: '0.3',
      },
    );
    expect(byGrpc.bid).toMatchObject({ bidId: first.body.bidId, revision: 2 });
    await cancel(orderId);
    expect(await bidsSeenBy(tenant, orderId)).toEqual([]);
    expect(await bidsSeenBy(alice, orderId)).toMatchObject([{ state: 'void' }]);
  });

  it('offers the same by gRPC', async () => {
    const { order } = await stage.running.call<{ order: { orderId: string; mode: string; state: string } }>(
      tenant,
      'SubmitOrder',
      { order: { manifest: sdl() }, mode: 'auction', windowSeconds: 30 },
    );
    expect(order).toMatchObject({ mode: 'auction', state: 'bidding' });
    const { orderId } = order;
    const { auctions } = await stage.running.auctionCall<{ auctions: object[] }>(bob, 'ListAuctions', {});
    expect(auctions).toMatchObject([
      { orderId, groups: [{ gpus: 1, offers: [{ offerId: offerOf('bob'), bidMicrosPerHour: '0' }] }] },
    ]);
    const wish = { orderId, offerId: offerOf('bob'), rateUsdcPerHour: '0.05' };
    await stage.running.auctionCall(bob, 'PlaceBid', wish);
    await close(orderId);
    const { bids } = await stage.running.auctionCall<{ bids: object[] }>(tenant, 'ListBids', { orderId });
    expect(bids).toMatchObject([{ state: 'won', rateMicrosPerHour: '50000', revision: 1 }]);
    const found = await stage.running.call<{ order: object }>(tenant, 'GetOrder', { orderId });
    expect(found.order).toMatchObject({
      auction: { result: { bids: 1, groups: [{ winner: { rateMicrosPerHour: '50000' } }] } },
    });
    await expect(stage.running.auctionCall(bob, 'PlaceBid', wish)).rejects.toMatchObject({
      details: expect.stringContaining('were taken until'),
    });
    await cancel(orderId);
  });

  it('refuses what cannot be a bid, each with its own code', async () => {
    const { orderId } = await open();
    const instant = await stage.submit({ manifest: sdl() });
    const refusals: [Person, object, number, string][] = [
      [alice, { orderId: idOf('order', 'nowhere') }, 404, 'order_not_found'],
      [alice, { orderId: instant.orderId }, 409, 'not_an_auction'],
      [bob, {}, 404, 'offer_not_found'],
      [alice, { rateUsdcPerHour: '9999' }, 422, 'bid_above_budget'],
      [alice, { rateUsdcPerHour: '0' }, 422, 'bid_too_low'],
      [alice, { rateUsdcPerHour: '-1' }, 422, 'invalid_request'],
      [alice, { rateUsdcPerHour: '0.0000001' }, 422, 'invalid_request'],
      [alice, { group: 'elsewhere' }, 422, 'unknown_group'],
      [alice, { offerId: 'nonsense' }, 422, 'invalid_request'],
      [alice, { surprise: 1 }, 422, 'invalid_request'],
      [owner, { offerId: idOf('offer', 'beta-h100') }, 422, 'offer_does_not_fit'],
    ];
    const good = { orderId, offerId: offerOf('alice'), rateUsdcPerHour: '0.1' };
    for (const [who, wrong, status, code] of refusals) {
      const answer = await place(who, { ...good, ...wrong });
      expect([answer.status, answer.body.code]).toEqual([status, code]);
    }
    const unfit = await place(owner, { ...good, offerId: idOf('offer', 'beta-h100') });
    expect(unfit.body.errors).toEqual([{ pointer: '/offerId', message: 'gpu_model: has h100' }]);
    expect(await bidsSeenBy(alice, orderId)).toEqual([]);
    await cancel(orderId);
    expect((await place(alice, good)).body.code).toBe('auction_closed');
    await cancel(instant.orderId);
  });

  it.each<[string, object, string]>([
    ['a window without an auction', { mode: 'instant' }, 'window_without_auction'],
    ['a window beyond the limit', { windowSeconds: 100_000 }, 'window_out_of_bounds'],
    ['a window that outlasts the order', { windowSeconds: 60, waitSeconds: 60 }, 'window_too_long'],
    ['a mode of nobody', { mode: 'raffle' }, 'invalid_request'],
  ])('refuses an order with %s', async (_, body, code) => {
    const answer = await stage.running.post<Problem>(tenant, '/v1/orders', { ...AUCTION, ...body });
    expect([answer.status, answer.body.code]).toEqual([422, code]);
  });

  it('opens for five seconds where the order does not say', async () => {
    const { windowSeconds: _, ...unsaid } = AUCTION;
    const order = await stage.submit(unsaid);
    expect(Date.parse(order.auction!.closesAt) - Date.parse(order.submittedAt)).toBe(5_000);
    await cancel(order.orderId);
  });

  it('wakes a provider that waits for an auction', async () => {
    const waiting = stage.running.get<{ items: OpenAuctionDto[] }>(bob, '/v1/auctions', {
      prefer: 'wait=30',
    });
    const { orderId } = await open();
    expect((await waiting).body.items.map((one) => one.orderId)).toEqual([orderId]);
    await cancel(orderId);
  });

  it('loses no bid in a crash, and closes late rather than never', async () => {
    const { orderId } = await open();
    await bid(alice, 'alice', orderId, '0.31');
    await bid(bob, 'bob', orderId, '0.32');
    await bid(alice, 'alice', orderId, '0.33');
    const before = stage.running.matchmaker.exchange.order(orderId as OrderId);
    await stage.running.restart();
    expect(stage.running.matchmaker.exchange.order(orderId as OrderId)).toEqual(before);
    expect(await bidsSeenBy(alice, orderId)).toMatchObject([{ revision: 2, rate: { micros: '330000' } }]);
    // Nobody is there when the window ends, nor for a while after.
    await stage.running.restart(() => stage.clock.advance(90_000));
    const closed = await eventually(async () => {
      const order = await stage.order(orderId);
      expect(order.state).toBe('matched');
      return order;
    });
    expect(closed.auction!.result).toMatchObject({
      bids: 2,
      groups: [{ winner: { rate: { micros: '320000' } } }],
    });
    expect(Date.parse(closed.auction!.result!.closedAt) - Date.parse(closed.auction!.closesAt)).toBe(60_000);
    const live = stage.running.matchmaker.exchange;
    const rebuilt = await loadExchange(stage.running.dataSource, stage.running.eventStore);
    expect(rebuilt.order(orderId as OrderId)).toEqual(live.order(orderId as OrderId));
    expect([...rebuilt.leases()]).toEqual([...live.leases()]);
    await cancel(orderId);
  });

  it('has one winner, whatever is written: the database refuses a second', async () => {
    const { orderId } = await open();
    await bid(alice, 'alice', orderId, '0.31');
    await bid(bob, 'bob', orderId, '0.32');
    await close(orderId);
    const { dataSource } = stage.running;
    await expect(
      dataSource.query(`UPDATE bids SET state = 'won' WHERE order_id = $1`, [orderId]),
    ).rejects.toThrow('one_winning_bid');
    await expect(
      dataSource.query(
        `INSERT INTO leases SELECT (jsonb_populate_record(l, '{"lease_id":"lea_second"}')).* FROM leases l WHERE order_id = $1`,
        [orderId],
      ),
    ).rejects.toThrow('one_living_lease');
    await cancel(orderId);
  });

  it('gives the lease to the next when the winner declines, and keeps one winner all the while', async () => {
    await stage.market('beta', [
      offerPublished('beta', 'beta-h100', {
        model: 'h100',
        vramGiB: 80,
        perGpu: '2.00',
        autoAccept: false,
        revision: 2,
      }),
      offerPublished('beta', 'beta-4090', { perGpu: '3.00', autoAccept: false }),
    ]);
    await eventually(() =>
      expect(stage.running.matchmaker.exchange.market.offer(idOf('offer', 'beta-4090'))).toBeDefined(),
    );
    const { orderId } = await open();
    await bid(owner, 'beta', orderId, '0.05');
    await bid(alice, 'alice', orderId, '0.06');
    const closed = await close(orderId);
    expect(closed.leases).toMatchObject([{ state: 'proposed', offerId: offerOf('beta') }]);
    stage.clock.advance(1);
    await stage.running.post(owner, `/v1/leases/${closed.leases[0]!.leaseId}/reject`, {
      reason: 'maintenance',
    });
    expect(await stage.order(orderId)).toMatchObject({
      ...{ state: 'matched', rate: { micros: '60000' } },
      leases: [{ state: 'rejected' }, { state: 'accepted', offerId: offerOf('alice') }],
    });
    const states = (await bidsSeenBy(tenant, orderId)).map((one) => [one.rate.micros, one.state]);
    expect(Object.fromEntries(states)).toEqual({ 50000: 'fallen', 60000: 'won' });
    await cancel(orderId);
  });

  it('documents every route from the schemas that check it', () => {
    const { paths } = stage.running.openApi();
    expect(Object.keys(paths)).toEqual(expect.arrayContaining(['/v1/auctions', '/v1/bids', '/v1/bids/{id}']));
  });
});
