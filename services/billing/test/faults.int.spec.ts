import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { encodeSettleBatch } from '@gridbourse/chain';
import { devKey } from '@gridbourse/infra';
import { ReconciliationTask } from '../src/features/reconciliation/reconciliation.task.ts';
import { World } from './world.ts';

// Real: Postgres, bus, chain and contracts, the relayer. Played: the other services and the indexer.
let world: World;
beforeAll(async () => {
  world = await World.create();
  await world.openAccount();
  await world.deposit(100_000_000n);
  await world.consent();
  await world.until(() => world.heard.length >= 2 || null);
}, 120_000);
afterAll(() => world.close(), 60_000);

const reconcile = () => world.service.app.get(ReconciliationTask).reconcile(null);
const found = async () => (await reconcile()).findings.map(({ kind, subject }) => ({ kind, subject }));

describe('a reorganisation of the chain', () => {
  it('takes back what it took away, and the same transactions are paid again', async () => {
    const leaseId = await world.openLease('reorged');
    await world.running(leaseId);
    await world.passOnChain(100);
    const before = await world.provider.getBlockNumber();
    await world.usage(leaseId, 50, 50);
    await world.event('SettlementConfirmed', leaseId);
    await world.closeMeter(leaseId, 60);
    await world.usage(leaseId, 10, 60);
    await world.event('LeaseSettled', leaseId);
    await world.indexer.stop();
    const after = await world.provider.getBlockNumber();
    await world.provider.send('anvil_rollback', [after - before]);
    await world.indexer.retractFrom(before + 1);
    await world.until(async () => (await world.books())['spent'] === 0n || null);
    expect(await world.books()).toMatchObject({ locked: 3_600_000n, spent: 0n });
    world.indexer.start();
    await world.until(async () => (await world.lease(leaseId))?.['closed_at_ms'] ?? null);
    expect(await world.books()).toMatchObject({ locked: 0n, spent: 60_000n });
    // The amounts are the same, so the market is not told twice.
    expect(world.eventsOf(leaseId).filter((type) => type === 'LeaseSettled')).toHaveLength(1);
    expect(await found()).toEqual([]);
    const corrections = await world.dataSource.query(
      `SELECT count(*)::int AS n FROM ledger_transfers WHERE corrects_id IS NOT NULL`,
    );
    expect(corrections).toEqual([{ n: 3 }]);
  }, 60_000);
});

describe('breaks', () => {
  it('is told of a payment beyond the meter, and of its end', async () => {
    const leaseId = await world.openLease('overpaid');
    await world.running(leaseId);
    await world.passOnChain(100);
    await world.usage(leaseId, 10, 10);
    await world.event('SettlementConfirmed', leaseId);
    const leaseKey = (await world.lease(leaseId))!['lease_key'] as string;
    // A rogue operator settles what no meter has seen.
    await (
      await world.signer(devKey(1)).sendTransaction({
        to: world.deployment.contracts.ComputeMarket,
        data: encodeSettleBatch([{ leaseKey, cumulativeMicros: 90_000n }]),
      })
    ).wait();
    await world.until(async () => (await world.lease(leaseId))?.['settled_micros'] === '90000' || null);
    expect(await found()).toEqual([{ kind: 'wrong_amount', subject: leaseId }]);
    const opened = await world.event('BreakOpened');
    expect(opened).toMatchObject({
      subject: leaseId,
      meterMicros: 10_000n,
      ledgerMicros: 90_000n,
      chainMicros: 90_000n,
    });
    await world.usage(leaseId, 80, 90);
    await world.until(async () => (await world.lease(leaseId))?.['cumulative_seconds'] === 90 || null);
    expect(await found()).toEqual([]);
    expect(await world.event('BreakResolved')).toMatchObject({ breakId: opened['breakId'] });
    await world.closeMeter(leaseId, 90);
    await world.event('LeaseSettled', leaseId);
  }, 60_000);

  it('are found where a window is counted twice', async () => {
    const leaseId = await world.openLease('counted twice');
    await world.running(leaseId);
    await world.passOnChain(100);
    await world.usage(leaseId, 10, 10);
    await world.usage(leaseId, 10, 11);
    await world.closeMeter(leaseId, 11);
    await world.event('LeaseSettled', leaseId);
    expect(await found()).toEqual([{ kind: 'duplicate', subject: leaseId }]);
  }, 60_000);

  it('are found where the indexer has swallowed an event, by the storage of the contract', async () => {
    await world.indexer.stop();
    await world.deposit(7n);
    await world.indexer.forgetMissed();
    world.indexer.start();
    await world.deposit(11n);
    await world.until(async () => (await world.books())['free']! % 100n === 11n || null);
    await world.consent(); // one block later: what lies below it has been heard
    await world.until(async () => (await found()).some(({ subject }) => subject === world.wallet) || null);
    expect(await found()).toContainEqual({ kind: 'missing', subject: world.wallet });
  }, 60_000);

  it('are found where a lease on chain is nobody of ours', async () => {
    const leaseId = await world.propose('stranger');
    await world.accept(leaseId);
    await world.until(async () => (await world.lease(leaseId))?.['opened_at_ms'] ?? null);
    await world.dataSource.query(`UPDATE leases SET lease_ref = NULL, order_id = NULL WHERE lease_id = $1`, [
      leaseId,
    ]);
    const leaseKey = (await world.lease(leaseId))!['lease_key'] as string;
    expect(await found()).toContainEqual({ kind: 'wrong_party', subject: leaseKey });
  }, 60_000);
});
