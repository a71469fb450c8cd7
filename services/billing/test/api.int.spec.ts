import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Id } from '@gridbourse/kernel';
import { World } from './world.ts';

// Real: Postgres, bus, chain and contracts, the HTTP edge. Played: the other services and the indexer.
let world: World;
let key: string;
let leaseId: Id<'lease'>;

beforeAll(async () => {
  world = await World.create();
  await world.openAccount();
  key = await world.issueKey();
  await world.deposit(5_000_000n);
  await world.consent();
  await world.until(() => world.heard.length >= 2 || null);
  leaseId = await world.openLease('billed');
  await world.running(leaseId);
  await world.passOnChain(60);
  await world.usage(leaseId, 20, 20);
  await world.event('SettlementConfirmed', leaseId);
  await world.usage(leaseId, 10, 30);
  await world.closeMeter(leaseId, 30);
  await world.event('LeaseSettled', leaseId);
}, 120_000);
afterAll(() => world.close(), 60_000);

const micros = (money: { micros: string }): bigint => BigInt(money.micros);
const get = async (url: string) => {
  const { status, body } = await world.call('GET', url, key);
  expect({ url, status, body }).toMatchObject({ status: 200 });
  return body;
};

describe('what a tenant can read', () => {
  it('escrow, and all that is needed to deposit', async () => {
    const escrow = await get('/v1/escrow');
    expect(micros(escrow.deposited)).toBe(5_000_000n);
    expect(micros(escrow.free)).toBe(4_970_000n);
    expect(micros(escrow.spent)).toBe(30_000n);
    expect(escrow.chain).toEqual({
      chainId: 31_337,
      rpcUrl: 'http://chain.example',
      computeMarket: world.deployment.contracts.ComputeMarket,
      usdc: world.deployment.contracts.TestUSDC,
    });
    expect(escrow.spendingLimit.maxRatePerHour.usdc).toBe('1000000.00');
  });

  it('the statement, page by page, whose amounts add up to the balances', async () => {
    const items = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const page = await get(`/v1/escrow/entries?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`);
      expect(page.items.length).toBeLessThanOrEqual(2);
      items.push(...page.items);
      cursor = page.nextCursor;
    }
    expect(items.map(({ kind, account }) => `${kind}/${account}`)).toEqual([
      'refund/free',
      'refund/locked',
      'payment/locked',
      'payment/locked',
      'lock/locked',
      'lock/free',
      'deposit/free',
    ]);
    const free = items.filter(({ account }) => account === 'free');
    expect(free.reduce((sum, { amount }) => sum + micros(amount), 0n)).toBe(micros(free[0].balance));
    expect(items[0].leaseId).toBe(leaseId);
    expect(items[0].txHash).toMatch(/^0x[0-9a-f]{64}$/);
  });

  it('usage, settlements and the invoice of a lease', async () => {
    const usage = await get(`/v1/usage?leaseId=${leaseId}&limit=1`);
    expect(usage.items).toMatchObject([{ seconds: 20, cumulativeSeconds: 20, earned: { micros: '20000' } }]);
    const rest = await get(`/v1/usage?leaseId=${leaseId}&limit=1&cursor=${usage.nextCursor}`);
    expect(rest).toMatchObject({ items: [{ cumulativeSeconds: 30 }], nextCursor: null });

    const { items } = await get(`/v1/settlements?leaseId=${leaseId}`);
    // An interim row of the last window and the final one may be drafted in the same millisecond, in either order.
    expect(items).toContainEqual(
      expect.objectContaining({
        kind: 'final',
        state: 'confirmed',
        cumulative: expect.objectContaining({ micros: '30000' }),
      }),
    );
    expect(items).toContainEqual(
      expect.objectContaining({
        kind: 'interim',
        state: 'confirmed',
        paid: expect.objectContaining({ micros: '20000' }),
      }),
    );

    expect(await get(`/v1/invoices/${leaseId}`)).toMatchObject({
      state: 'closed',
      final: true,
      usage: { seconds: 30, windows: 2 },
      amount: { micros: '30000' },
      paid: { micros: '30000' },
      refunded: { micros: '3570000' },
      list: { amount: { micros: '60000' }, saving: { micros: '30000' }, savingShare: 0.5 },
    });
  });

  it('books in which meter, ledger and chain are equal', async () => {
    const { body: looked } = await world.call('POST', '/v1/reconciliations', key);
    expect(looked).toEqual({ leases: 1, findings: [] });
    const books = await get('/v1/books');
    expect(books).toMatchObject({
      leases: { closed: 1 },
      meter: { micros: '30000' },
      ledgerPaid: { micros: '30000' },
      chainPaid: { micros: '30000' },
      refunded: { micros: '3570000' },
      openBreaks: 0,
    });
    expect(books.platform.settledLeases).toBe(1);
    expect(books.platform.chainConfirmMs.count).toBeGreaterThanOrEqual(3);
    expect(books.platform.chainConfirmMs.p99).toBeLessThan(3_000);
    expect(books.platform.gasPerSettledLease).toBeGreaterThan(21_000);
    expect(await get('/v1/breaks?open=true')).toEqual({ items: [], nextCursor: null });
  });
});

describe('what it cannot', () => {
  it.each([
    ['without a key', '/v1/escrow', undefined, 401, 'missing_credentials'],
    ['a lease of somebody else', `/v1/invoices/lea_${'0'.repeat(26)}`, 'own', 404, 'lease_not_found'],
    ['what is no lease id', '/v1/usage?leaseId=1', 'own', 422, 'invalid_request'],
    ['a page of a thousand', '/v1/escrow/entries?limit=1000', 'own', 422, 'invalid_request'],
    ['a cursor of its own making', '/v1/escrow/entries?cursor=abc', 'own', 422, 'invalid_cursor'],
    [
      'a cursor with words for numbers',
      `/v1/escrow/entries?cursor=${Buffer.from('["x"]').toString('base64url')}`,
      'own',
      422,
      'invalid_cursor',
    ],
    [
      'a cursor with words for times',
      `/v1/usage?cursor=${Buffer.from('["x","y"]').toString('base64url')}`,
      'own',
      422,
      'invalid_cursor',
    ],
  ])('%s', async (_, url, whose, status, code) => {
    const answer = await world.call('GET', url, whose === 'own' ? key : undefined);
    expect(answer).toMatchObject({ status, body: { code } });
  });
});
