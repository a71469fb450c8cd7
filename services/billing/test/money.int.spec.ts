import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ReconciliationTask } from '../src/features/reconciliation/reconciliation.task.ts';
import { World } from './world.ts';

// Real: Postgres, bus, chain and contracts, the relayer. Played: the other services and the indexer.
let world: World;
beforeAll(async () => {
  world = await World.create();
}, 120_000);
afterAll(() => world.close(), 60_000);

const USDC = 1_000_000n;

const findings = async () => (await world.service.app.get(ReconciliationTask).reconcile(null)).findings;

describe('the money of a lease', () => {
  it('a deposit of a wallet without an account is kept, and told once the account opens', async () => {
    await world.deposit(10n * USDC);
    await world.until(async () => (await world.books())['free'] === 10n * USDC || null);
    expect(world.heard).toEqual([]);
    await world.openAccount();
    const told = await world.event('EscrowChanged');
    expect(told).toMatchObject({
      accountId: world.account,
      depositedMicros: 10n * USDC,
      freeMicros: 10n * USDC,
    });
  }, 30_000);

  it('is not locked without consent, nor beyond it, nor beyond what is free', async () => {
    const unconsented = await world.propose('unconsented');
    await world.accept(unconsented);
    expect(await world.event('LeaseFundingFailed', unconsented)).toMatchObject({ cause: 'spending_limit' });

    await world.consent(7_200_000n, 8n * USDC);
    await world.until(
      () => world.heard.filter((event) => event.type === 'EscrowChanged').length === 2 || null,
    );
    const fast = await world.propose('too fast', 60, 7_200_001n);
    await world.accept(fast);
    expect(await world.event('LeaseFundingFailed', fast)).toMatchObject({
      cause: 'spending_limit',
      shortfallMicros: 1n,
    });

    const long = await world.propose('too long', 4 * 3_600);
    await world.accept(long);
    expect(await world.event('LeaseFundingFailed', long)).toMatchObject({
      cause: 'insufficient_escrow',
      shortfallMicros: 4_400_000n,
    });
    await world.consent();
  }, 30_000);

  it('is locked, paid by the second, and refunded: meter = ledger = chain', async () => {
    const leaseId = await world.openLease('whole life');
    expect(await world.books()).toMatchObject({ free: 6_400_000n, locked: 3_600_000n });
    await world.running(leaseId);
    await world.passOnChain(120);
    await world.usage(leaseId, 61, 61);
    const first = await world.event('SettlementConfirmed', leaseId);
    expect(first).toMatchObject({ cumulativeMicros: 61_000n, paidMicros: 61_000n });
    await world.usage(leaseId, 39, 100);
    await world.closeMeter(leaseId, 100);
    const settled = await world.event('LeaseSettled', leaseId);
    expect(settled).toMatchObject({ paidMicros: 100_000n, refundedMicros: 3_500_000n });
    expect(await world.books()).toEqual({
      deposited: 10n * USDC,
      free: 9_900_000n,
      locked: 0n,
      spent: 100_000n,
      withdrawn: 0n,
    });
    const [row] = await world.dataSource.query('SELECT lease_key FROM leases WHERE lease_id = $1', [leaseId]);
    const { settled: onChain, open } = await world.market().leaseOf(row.lease_key);
    expect({ onChain, open }).toEqual({ onChain: 100_000n, open: false });
    expect(world.eventsOf(leaseId).filter((type) => type === 'LeaseSettled')).toHaveLength(1);
    expect(await findings()).toEqual([]);
  }, 60_000);

  it('that lapsed on its way to the chain is given back in full', async () => {
    const before = await world.books();
    const leaseId = await world.propose('lapsed');
    await world.accept(leaseId);
    await world.lapse(leaseId);
    const settled = await world.event('LeaseSettled', leaseId);
    expect(settled).toMatchObject({ paidMicros: 0n, refundedMicros: 3_600_000n });
    expect(await world.books()).toEqual(before);
    expect(await findings()).toEqual([]);
  }, 60_000);

  it('that lapsed before it was accepted never reaches the chain', async () => {
    const leaseId = await world.propose('lapsed early');
    await world.lapse(leaseId);
    await world.accept(leaseId);
    const later = await world.openLease('after it');
    await world.closeMeter(later, 0);
    await world.event('LeaseSettled', later);
    expect((await world.lease(leaseId))?.['opening']).toBe('none');
    expect(world.eventsOf(leaseId)).toEqual([]);
  }, 60_000);

  it('claimed before time has earned it is paid later, not never', async () => {
    const leaseId = await world.openLease('too early');
    await world.running(leaseId);
    await world.usage(leaseId, 600, 600);
    await world.until(async () => {
      const rows = await world.dataSource.query(
        `SELECT 1 FROM settlements WHERE lease_id = $1 AND state = 'failed_retryable' AND failure = 'more_than_earned'`,
        [leaseId],
      );
      return rows.length > 0 || null;
    });
    await world.passOnChain(700);
    await world.event('SettlementConfirmed', leaseId);
    await world.closeMeter(leaseId, 600);
    expect(await world.event('LeaseSettled', leaseId)).toMatchObject({ paidMicros: 600_000n });
    expect(await findings()).toEqual([]);
  }, 60_000);

  it('goes on where it was when billing stops in the middle', async () => {
    const leaseId = await world.propose('restarted');
    await world.accept(leaseId);
    await world.stop();
    await world.running(leaseId);
    await world.usage(leaseId, 5, 5);
    await world.start();
    await world.until(async () => (await world.lease(leaseId))?.['opened_at_ms'] ?? null);
    await world.passOnChain(10);
    await world.event('SettlementConfirmed', leaseId);
    await world.indexer.stop();
    await world.closeMeter(leaseId, 7);
    await world.usage(leaseId, 2, 7).catch(() => undefined);
    await world.until(async () => {
      const [row] = await world.dataSource.query(
        `SELECT status FROM chain_transactions t JOIN settlements s ON s.intent_id = t.intent_id
         WHERE s.lease_id = $1 AND s.kind = 'final' AND status IS NOT NULL`,
        [leaseId],
      );
      return row ?? null;
    });
    await world.service.close();
    await world.start();
    expect(await world.event('LeaseSettled', leaseId)).toMatchObject({ paidMicros: 7_000n });
    expect(world.eventsOf(leaseId).filter((type) => type === 'LeaseSettled')).toHaveLength(1);
    expect(await findings()).toEqual([]);
  }, 60_000);

  it('is warned of and ends at zero-time by our own clock, once, over a restart', async () => {
    const leaseId = await world.openLease('two hours', 1_200);
    await world.running(leaseId);
    await world.until(async () => (await world.lease(leaseId))?.['next_alarm_at_ms'] ?? null);
    world.clock.shiftMs += 601_000;
    expect(await world.event('EscrowLow', leaseId)).toMatchObject({ secondsLeft: 599 });
    await world.stop();
    world.clock.shiftMs += 600_000;
    await world.start();
    await world.event('EscrowExhausted', leaseId);
    await world.passOnChain(1_300);
    await world.usage(leaseId, 1_200, 1_200);
    await world.closeMeter(leaseId, 1_200);
    await world.event('LeaseSettled', leaseId);
    const alarms = world.eventsOf(leaseId).filter((type) => type.startsWith('Escrow'));
    expect(alarms).toEqual(['EscrowLow', 'EscrowExhausted']);
    expect(await findings()).toEqual([]);
  }, 60_000);

  it('balances in the end, with every settlement final once the chain is', async () => {
    await world.indexer.finalizeAll();
    await world.until(async () => {
      const rows = await world.dataSource.query(
        `SELECT 1 FROM settlements WHERE state NOT IN ('finalized', 'failed_retryable', 'failed_final')`,
      );
      return rows.length === 0 || null;
    });
    const books = await world.books();
    expect(books['locked']).toBe(0n);
    const { free } = await world.market().tenantOf(world.wallet);
    expect(books['free']).toBe(free);
    await (await world.market().withdraw(1n * USDC)).wait();
    await world.until(async () => (await world.books())['withdrawn'] === USDC || null);
    expect(await findings()).toEqual([]);
  }, 60_000);
});
