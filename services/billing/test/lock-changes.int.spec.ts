import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Id } from '@gridbourse/kernel';
import { ReconciliationTask } from '../src/features/reconciliation/reconciliation.task.ts';
import { World } from './world.ts';

// Real: Postgres, bus, chain and contracts, the relayer. Played: the other services and the indexer.
let world: World;
beforeAll(async () => {
  world = await World.create();
  await world.openAccount();
  await world.deposit(DEPOSIT);
  await world.consent();
  await world.until(() => world.heard.length >= 2 || null);
}, 120_000);
afterAll(() => world.close(), 60_000);

const DEPOSIT = 100_000_000n;
const HOUR_SECONDS = 3_600;

const findings = async () => (await world.service.app.get(ReconciliationTask).reconcile(null)).findings;
const lockOf = async (leaseId: string) => {
  const row = (await world.lease(leaseId))!;
  return {
    key: row['lease_key'] as string,
    addedMicros: BigInt(row['lock_added_micros'] as string),
    freedMicros: BigInt(row['lock_freed_micros'] as string),
    stopsAtMs: row['stops_at_ms'] === null ? null : Number(row['stops_at_ms']),
    alarmAtMs: Number(row['next_alarm_at_ms']),
  };
};
/** Books, contract and sums are one: nothing is lost between them. */
const expectOneTruth = async (): Promise<void> => {
  const tenant = await world.market().tenantOf(world.wallet);
  const books = await world.books();
  expect(books).toMatchObject({ free: tenant.free, deposited: DEPOSIT });
  expect(books['free']! + books['locked']! + books['spent']! + books['withdrawn']!).toBe(DEPOSIT);
  expect(await findings()).toEqual([]);
};
const stop = async (leaseId: Id<'lease'>): Promise<bigint> => {
  const { key } = await lockOf(leaseId);
  await (await world.market().stopLease(key)).wait();
  await world.until(async () => (await lockOf(leaseId)).freedMicros > 0n || null);
  return (await world.market().leaseOf(key)).lock;
};

describe('a lease that its tenant stops on chain', () => {
  it('gives back at once what it cannot earn any more, and is billed up to the lock that is left', async () => {
    const leaseId = await world.openLease('stopped', 4 * HOUR_SECONDS);
    await world.running(leaseId);
    await world.passOnChain(100);
    await world.usage(leaseId, 50, 50);
    await world.event('SettlementConfirmed', leaseId);
    const kept = await stop(leaseId);
    expect(kept < 14_400_000n && kept >= 3_700_000n).toBe(true);
    const { key, freedMicros, stopsAtMs, alarmAtMs } = await lockOf(leaseId);
    expect(freedMicros).toBe(14_400_000n - kept);
    const { timestamp } = (await world.provider.getBlock('latest'))!;
    expect(stopsAtMs).toBe((timestamp + HOUR_SECONDS) * 1_000);
    expect(alarmAtMs).toBeLessThanOrEqual(stopsAtMs!);
    expect((await world.books())['locked']).toBe(kept - 50_000n);
    await expectOneTruth();

    // The end is told by our own clock, and whatever is counted beyond it is nobody's to bill.
    world.clock.shiftMs += 2 * HOUR_SECONDS * 1_000;
    const end = await world.event('EscrowExhausted', leaseId);
    expect(end['zeroTimeAtMs']).toBeLessThanOrEqual(stopsAtMs!);
    await world.passOnChain(4 * HOUR_SECONDS);
    await world.usage(leaseId, 9_950, 10_000);
    await world.until(async () => (await world.market().leaseOf(key)).settled === kept || null);
    await world.closeMeter(leaseId, 10_000);
    const settled = await world.event('LeaseSettled', leaseId);
    expect(settled).toMatchObject({ paidMicros: kept, refundedMicros: 14_400_000n - kept });
    expect(await world.books()).toMatchObject({ locked: 0n, spent: kept });
    await expectOneTruth();
  }, 90_000);

  it('is as before when the block of the stop is gone, and stopped when it is back; twice heard is once', async () => {
    const leaseId = await world.openLease('stopped and not', 4 * HOUR_SECONDS);
    await world.running(leaseId);
    const before = await world.books();
    const height = await world.provider.getBlockNumber();
    const kept = await stop(leaseId);
    const stopped = await world.books();
    const lock = await lockOf(leaseId);
    expect(stopped['free']).toBe(before['free']! + 14_400_000n - kept);
    await world.indexer.stop();
    await world.indexer.retractFrom(height + 1);
    await world.until(async () => (await lockOf(leaseId)).freedMicros === 0n || null);
    expect(await world.books()).toEqual(before);
    expect(await lockOf(leaseId)).toMatchObject({ freedMicros: 0n, stopsAtMs: null });
    world.indexer.start();
    await world.until(async () => (await lockOf(leaseId)).freedMicros > 0n || null);
    expect(await lockOf(leaseId)).toEqual(lock);
    expect(await world.books()).toEqual(stopped);
    await world.indexer.finalizeAll();
    await world.passOnChain(20);
    await world.usage(leaseId, 10, 10);
    await world.closeMeter(leaseId, 10);
    expect(await world.event('LeaseSettled', leaseId)).toMatchObject({
      paidMicros: 10_000n,
      refundedMicros: 14_390_000n,
    });
    await expectOneTruth();
  }, 90_000);

  it('is closed for what the lock bears, also where its meter had closed on more before', async () => {
    const leaseId = await world.openLease('overrun', 4 * HOUR_SECONDS);
    await world.running(leaseId);
    await world.usage(leaseId, 4 * HOUR_SECONDS, 4 * HOUR_SECONDS);
    await world.closeMeter(leaseId, 4 * HOUR_SECONDS);
    const final = async (micros: bigint) => {
      const rows = await world.dataSource.query<{ state: string }[]>(
        `SELECT state FROM settlements WHERE lease_id = $1 AND kind = 'final' AND cumulative_micros = $2`,
        [leaseId, micros.toString()],
      );
      return rows.map(({ state }) => state);
    };
    // Time has not earned so much yet, and after the stop it never will.
    await world.until(async () => (await final(14_400_000n)).includes('failed_retryable') || null);
    const kept = await stop(leaseId);
    await world.passOnChain(5 * HOUR_SECONDS);
    world.clock.shiftMs += 120_000; // the pause between attempts
    expect(await world.event('LeaseSettled', leaseId)).toMatchObject({
      paidMicros: kept,
      refundedMicros: 14_400_000n - kept,
    });
    expect(await final(kept)).toContain('confirmed');
    await expectOneTruth();
  }, 90_000);
});

describe('a lease that its tenant extends on chain', () => {
  it('locks more, runs for longer, and gives back what was not used', async () => {
    const leaseId = await world.openLease('extended');
    await world.running(leaseId);
    const before = await world.until(async () => {
      const lock = await lockOf(leaseId);
      return lock.alarmAtMs > 0 ? lock : null;
    });
    const books = await world.books();
    await (await world.market().extendLease(before.key, 1_800)).wait();
    await world.until(async () => (await lockOf(leaseId)).addedMicros > 0n || null);
    expect(await lockOf(leaseId)).toEqual({
      ...before,
      addedMicros: 1_800_000n,
      // The next alarm was the warning of ten minutes; now it is the one of an hour.
      alarmAtMs: before.alarmAtMs + (600 + 1_800 - 3_600) * 1_000,
    });
    expect(await world.event('LeaseTermChanged', leaseId)).toMatchObject({
      durationSeconds: 5_400,
      lockMicros: 5_400_000n,
    });
    expect(await world.books()).toMatchObject({
      free: books['free']! - 1_800_000n,
      locked: books['locked']! + 1_800_000n,
    });
    await expectOneTruth();

    await world.passOnChain(5_100);
    await world.usage(leaseId, 5_000, 5_000);
    await world.closeMeter(leaseId, 5_000);
    expect(await world.event('LeaseSettled', leaseId)).toMatchObject({
      paidMicros: 5_000_000n,
      refundedMicros: 400_000n,
    });
    await expectOneTruth();
  }, 90_000);

  it('has its old term again when the block of the extension is gone, and says so', async () => {
    const leaseId = await world.openLease('extended and not');
    await world.running(leaseId);
    const { key } = await lockOf(leaseId);
    const height = await world.provider.getBlockNumber();
    await (await world.market().extendLease(key, 1_800)).wait();
    const terms = () =>
      world.heard.flatMap((event) =>
        event.type === 'LeaseTermChanged' && event.leaseId === leaseId ? [event.durationSeconds] : [],
      );
    await world.until(() => terms().length === 1 || null);
    await world.indexer.stop();
    await world.indexer.retractFrom(height + 1);
    await world.until(() => terms().length === 2 || null);
    expect(terms()).toEqual([5_400, 3_600]);
    world.indexer.start();
    await world.until(() => terms().length === 3 || null);
    expect(terms().at(-1)).toBe(5_400);
    await world.indexer.finalizeAll();
    await world.closeMeter(leaseId, 0);
    await world.event('LeaseSettled', leaseId);
    await expectOneTruth();
  }, 90_000);

  it('and then stops has the lock of the stop', async () => {
    const leaseId = await world.openLease('extended and stopped');
    await world.running(leaseId);
    const { key } = await lockOf(leaseId);
    await (await world.market().extendLease(key, HOUR_SECONDS)).wait();
    await world.until(async () => (await lockOf(leaseId)).addedMicros > 0n || null);
    const kept = await stop(leaseId);
    expect(await lockOf(leaseId)).toMatchObject({ addedMicros: 3_600_000n, freedMicros: 7_200_000n - kept });
    await expectOneTruth();
    await world.closeMeter(leaseId, 0);
    expect(await world.event('LeaseSettled', leaseId)).toMatchObject({
      paidMicros: 0n,
      refundedMicros: 7_200_000n,
    });
    await expectOneTruth();
  }, 90_000);
});
