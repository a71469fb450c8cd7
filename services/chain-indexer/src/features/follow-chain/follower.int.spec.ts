// Real: Postgres, anvil, the contracts. Broken on purpose: the node's answers, the chain.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Actor } from '../../../test/chain.ts';
import { catchUp, FollowedChain } from '../../../test/followed-chain.ts';

jest.setTimeout(60_000);

describe('following the chain', () => {
  let chain: FollowedChain;
  let actor: Actor;

  beforeAll(async () => {
    chain = await FollowedChain.start();
    ({ actor } = chain);
  });
  beforeEach(() => chain.begin());
  afterEach(() => chain.end());
  afterAll(() => chain.stop());

  it('publishes every log in the order of the chain, by contract', async () => {
    await actor.lease(1n);
    const one = chain.follower({ minFinalityAgeMs: 60_000 });
    await catchUp(one);
    expect(await chain.heard()).toEqual([
      'Observed SpendingLimitSet',
      'Observed Deposited 1000000000',
      'Observed LeaseOpened',
      'Observed LeasesSettled',
      'Observed LeaseClosed',
    ]);
    expect(await chain.heard('ProviderRegistry')).toEqual(['Observed ProviderRegistered']);
    expect(await chain.standing()).toEqual(await chain.onChain());
    expect(one.status()).toMatchObject({
      halted: null,
      position: { indexed: { number: await actor.height() } },
    });
    const [closed] = (await chain.history()).slice(-1);
    expect(closed).toMatchObject({
      chainId: 31_337,
      log: { name: 'LeaseClosed', paidMicros: 5_000n, settledMicros: 9_000n, refundedMicros: 51_000n },
    });
  });

  it('tells of a lock that grows and of one that its tenant stops, as the contract has it then', async () => {
    const leaseKey = await actor.stoppedLease(2n);
    await catchUp(chain.follower({ minFinalityAgeMs: 60_000 }));
    const told = (await chain.history()).slice(-2);
    const parties = { leaseKey, tenant: actor.tenant, by: actor.tenant, chainProviderId: 1 };
    expect(told).toMatchObject([
      { log: { name: 'LeaseExtended', ...parties, addedMicros: 3_600_000n, lockMicros: 18_000_000n } },
      { log: { name: 'LeaseStopped', ...parties } },
    ]);
    const stop = told[1] as { blockTimeMs: number; log: Record<string, unknown> };
    expect(stop.log['endsAtSeconds']).toBe(stop.blockTimeMs / 1_000 + 3_600);
    expect(stop.log['lockMicros']).toBe(await actor.lockOf(leaseKey));
    expect((stop.log['lockMicros'] as bigint) + (stop.log['refundedMicros'] as bigint)).toBe(18_000_000n);
    expect(await chain.standing()).toEqual(await chain.onChain());
  });

  it('makes final what the chain calls final and what was seen for long enough, each log once', async () => {
    const one = chain.follower({ minFinalityAgeMs: 60_000 });
    await catchUp(one);
    await actor.mine(40);
    await catchUp(one);
    expect((await chain.heard()).filter((event) => event.startsWith('Finalized'))).toEqual([]);
    chain.clock.shiftMs = 60_001;
    await one.step();
    await one.step();
    expect((await chain.heard()).slice(2)).toEqual([
      'Finalized SpendingLimitSet',
      'Finalized Deposited 1000000000',
    ]);
    const { position } = one.status();
    expect(position!.final.number).toBe((await actor.height()) - 16);
    expect(await chain.dataSource.query('SELECT count(*)::int AS blocks FROM chain_blocks')).toEqual([
      { blocks: 16 },
    ]);
  });

  it('goes on after a restart without loss and without doubles', async () => {
    await catchUp(chain.follower());
    await actor.deposit(5n);
    await catchUp(chain.follower());
    await catchUp(chain.follower());
    await actor.deposit(6n);
    await catchUp(chain.follower());
    expect(await chain.standing()).toEqual(await chain.onChain());
    expect(new Set(await chain.standing()).size).toBe((await chain.standing()).length);
  });

  it('never moves the index twice when two processes follow at once', async () => {
    const [one, two] = [chain.follower(), chain.follower()];
    await catchUp(one);
    await catchUp(two);
    await actor.deposit(1n);
    await Promise.allSettled([one.step(), two.step()]);
    await actor.deposit(2n);
    await Promise.allSettled([one.step(), two.step()]);
    await catchUp(one);
    await catchUp(two);
    expect(await chain.standing()).toEqual(await chain.onChain());
  });

  it('takes many logs of one block in one step', async () => {
    const one = chain.follower();
    await catchUp(one);
    await actor.depositsInOneBlock(60);
    await catchUp(one);
    expect(await chain.standing()).toEqual(await chain.onChain());
  });

  it('takes back the logs of a reorganisation, newest first, and plays what is there instead', async () => {
    const one = chain.follower();
    const earlier = await actor.rpc.send('evm_snapshot', []);
    await actor.deposit(1n);
    await actor.deposit(2n);
    await catchUp(one);
    const before = (await chain.heard()).length;
    await actor.rpc.send('evm_revert', [earlier]);
    await actor.deposit(3n);
    await actor.deposit(4n);
    await actor.deposit(5n);
    await catchUp(one);
    expect((await chain.heard()).slice(before)).toEqual([
      'Retracted Deposited 2',
      'Retracted Deposited 1',
      'Observed Deposited 3',
      'Observed Deposited 4',
      'Observed Deposited 5',
    ]);
    expect(await chain.standing()).toEqual(await chain.onChain());
  });

  it('sees a reorganisation that leaves the height as it was', async () => {
    const one = chain.follower();
    await actor.deposit(1n);
    await actor.deposit(2n);
    await catchUp(one);
    const height = await actor.height();
    await actor.rpc.send('anvil_reorg', [2, []]);
    expect(await actor.height()).toBe(height);
    await catchUp(one);
    expect((await chain.heard()).slice(-2)).toEqual(['Retracted Deposited 2', 'Retracted Deposited 1']);
    expect(await chain.standing()).toEqual(await chain.onChain());
  });

  it('takes back what a chain has lost that came back shorter, but not what a lagging node does not show yet', async () => {
    const one = chain.follower({ lagGraceMs: 2_000 });
    const earlier = await actor.rpc.send('evm_snapshot', []);
    await actor.deposit(1n);
    await catchUp(one);
    const before = await chain.heard();
    await actor.rpc.send('evm_revert', [earlier]);
    await one.step();
    expect(await chain.heard()).toEqual(before);
    chain.clock.shiftMs = 2_001;
    await catchUp(one);
    expect((await chain.heard()).slice(before.length)).toEqual(['Retracted Deposited 1']);
    await actor.deposit(2n);
    await catchUp(one);
    expect(await chain.standing()).toEqual(await chain.onChain());
  });

  it('equals the chain after any history of deposits, reorganisations and restarts', async () => {
    // A reorganisation below finality is another test's matter: nothing becomes final here.
    const minFinalityAgeMs = 10 ** 9;
    let one = chain.follower({ minFinalityAgeMs });
    const snapshots: unknown[] = [];
    const seed = 20_261_124;
    let state = seed;
    const next = (bound: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return (state >>> 8) % bound;
    };
    for (let turn = 0; turn < 60; turn += 1) {
      const what = next(10);
      if (what < 4) await actor.deposit(BigInt(turn + 1));
      else if (what < 6) await catchUp(one);
      else if (what === 6) snapshots.push(await actor.rpc.send('evm_snapshot', []));
      else if (what === 7 && snapshots.length > 0) await actor.rpc.send('evm_revert', [snapshots.pop()]);
      else if (what === 8) one = chain.follower({ minFinalityAgeMs, maxRange: 1 + next(5) });
      else await one.step();
    }
    await catchUp(one);
    expect({ seed, standing: await chain.standing() }).toEqual({ seed, standing: await chain.onChain() });
  });
});
