// Real: Postgres, anvil, the contracts. Broken on purpose: the node's answers, the chain.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { interfaces, type RpcCall, RpcError } from '@gridbourse/chain';
import { type Anvil, startAnvil } from '@gridbourse/infra';
import {
  EventStore,
  eventStoreMigrations,
  migrate,
  ReadModelRebuild,
  sqlMigrations,
} from '@gridbourse/event-store';
import {
  type ChainIndexerEvent,
  chainIndexerEvents,
  type DomainEvent,
  EventCatalogue,
} from '@gridbourse/events';
import { type Clock, systemClock } from '@gridbourse/kernel';
import { silentLogger } from '@gridbourse/observability';
import { eventually, tableRows, testDatabase, type TestDatabase } from '@gridbourse/testing';
import { DataSource } from 'typeorm';
import { Actor } from '../../../test/chain.ts';
import { FaultyRpc } from '../../../test/faulty-rpc.ts';
import { ChainSource } from '../../adapters/chain-source.ts';
import { IndexStore } from '../../adapters/index-store.ts';
import { logsReadModel } from '../../read-models/logs-read-model.ts';
import { Follower, type FollowerOptions } from './follower.ts';

const migrations = [
  ...eventStoreMigrations,
  ...sqlMigrations(new URL('../../../migrations/', import.meta.url), 'chain-indexer'),
];
const connect = (url: string): Promise<DataSource> =>
  new DataSource({ type: 'postgres', url, migrations, migrationsTransactionMode: 'each' }).initialize();
const prepare = async (url: string): Promise<void> => {
  const dataSource = await connect(url);
  await migrate(dataSource);
  await dataSource.destroy();
};

class ShiftedClock implements Clock {
  shiftMs = 0;
  now(): number {
    return systemClock.now() + this.shiftMs;
  }
}

jest.setTimeout(60_000);

describe('following the chain', () => {
  let anvil: Anvil;
  let actor: Actor;
  let snapshot: unknown;
  let database: TestDatabase;
  let dataSource: DataSource;
  let events: EventStore<ChainIndexerEvent>;
  let rpc: FaultyRpc;
  let clock: ShiftedClock;

  const follower = (options: Partial<FollowerOptions> = {}): Follower =>
    new Follower({
      source: new ChainSource(rpc, actor.deployment),
      store: new IndexStore(dataSource, events),
      clock,
      logger: silentLogger,
      ...actor.deployment,
      maxRange: 500,
      minFinalityAgeMs: 0,
      lagGraceMs: 0,
      haltGraceMs: 0,
      ...options,
    });
  /** Until it has taken in all there is. */
  const catchUp = async (one: Follower): Promise<void> => {
    while (await one.step());
  };

  const history = async (contract = 'ComputeMarket'): Promise<ChainIndexerEvent[]> =>
    (await events.load(dataSource.manager, contract)).events;
  /** `Observed Deposited 5`: what consumers hear, in their order. */
  const heard = async (contract?: string): Promise<string[]> =>
    (await history(contract)).map((event) => {
      if (event.type === 'ChainHalted') return event.type;
      const amount = 'amountMicros' in event.log ? ` ${event.log.amountMicros}` : '';
      return `${event.type.replace('ChainEvent', '')} ${event.log.name}${amount}`;
    });
  /** What is left when each retraction takes its observation away. */
  const standing = async (): Promise<string[]> => {
    const there: string[] = [];
    for (const event of await history()) {
      if (event.type === 'ChainHalted' || event.type === 'ChainEventFinalized') continue;
      const place = `${event.blockHash}/${event.logIndex}`;
      if (event.type === 'ChainEventObserved') there.push(place);
      else expect(there.pop()).toBe(place);
    }
    return there;
  };
  const onChain = async (): Promise<string[]> => {
    const filter = { fromBlock: '0x0', toBlock: 'latest', address: actor.deployment.contracts.ComputeMarket };
    const logs = (await actor.rpc.send('eth_getLogs', [filter])) as {
      blockHash: string;
      logIndex: string;
      topics: string[];
    }[];
    // All but what setting up says, which nobody follows.
    return logs
      .filter((log) => !SET_UP.includes(log.topics[0]!))
      .map((log) => `${log.blockHash}/${Number(log.logIndex)}`);
  };
  const SET_UP = ['RoleGranted', 'Upgraded', 'Initialized'].map(
    (name) => interfaces.ComputeMarket.getEvent(name)!.topicHash,
  );

  beforeAll(async () => {
    anvil = await startAnvil({ slotsInAnEpoch: 8 });
    actor = await Actor.on(anvil.rpcUrl);
    await actor.registerProvider();
    await actor.consent();
    await actor.deposit(1_000_000_000n);
  });
  beforeEach(async () => {
    snapshot = await actor.rpc.send('evm_snapshot', []);
    database = await testDatabase('chain_indexer', prepare);
    dataSource = await connect(database.url);
    events = new EventStore({
      context: 'chain-indexer',
      catalogue: new EventCatalogue<ChainIndexerEvent>(chainIndexerEvents),
      clock: systemClock,
    });
    rpc = new FaultyRpc(anvil.rpcUrl);
    clock = new ShiftedClock();
  });
  afterEach(async () => {
    // Whatever the chain has done: the index is what the events make of it.
    const before = await tableRows(dataSource, ['chain_logs']);
    await dataSource.query(`UPDATE chain_logs SET seen_at_ms = 0, tx_hash = 'wrong'`);
    await new ReadModelRebuild<DomainEvent>({
      ...{ dataSource, store: events, readModel: logsReadModel, logger: silentLogger, pageSize: 3 },
    }).run();
    expect(await tableRows(dataSource, ['chain_logs'])).toEqual(before);
    await dataSource.destroy();
    await database.drop();
    await actor.rpc.send('evm_revert', [snapshot]);
  });
  afterAll(async () => {
    actor.close();
    await anvil.stop();
  });

  it('publishes every log in the order of the chain, by contract', async () => {
    await actor.lease(1n);
    const one = follower({ minFinalityAgeMs: 60_000 });
    await catchUp(one);
    expect(await heard()).toEqual([
      'Observed SpendingLimitSet',
      'Observed Deposited 1000000000',
      'Observed LeaseOpened',
      'Observed LeasesSettled',
      'Observed LeaseClosed',
    ]);
    expect(await heard('ProviderRegistry')).toEqual(['Observed ProviderRegistered']);
    expect(await standing()).toEqual(await onChain());
    expect(one.status()).toMatchObject({
      halted: null,
      position: { indexed: { number: await actor.height() } },
    });
    const [closed] = (await history()).slice(-1);
    expect(closed).toMatchObject({
      chainId: 31_337,
      log: { name: 'LeaseClosed', paidMicros: 5_000n, settledMicros: 9_000n, refundedMicros: 51_000n },
    });
  });

  it('tells of a lock that grows and of one that its tenant stops, as the contract has it then', async () => {
    const leaseKey = await actor.stoppedLease(2n);
    await catchUp(follower({ minFinalityAgeMs: 60_000 }));
    const told = (await history()).slice(-2);
    const parties = { leaseKey, tenant: actor.tenant, by: actor.tenant, chainProviderId: 1 };
    expect(told).toMatchObject([
      { log: { name: 'LeaseExtended', ...parties, addedMicros: 3_600_000n, lockMicros: 18_000_000n } },
      { log: { name: 'LeaseStopped', ...parties } },
    ]);
    const stop = told[1] as { blockTimeMs: number; log: Record<string, unknown> };
    expect(stop.log['endsAtSeconds']).toBe(stop.blockTimeMs / 1_000 + 3_600);
    expect(stop.log['lockMicros']).toBe(await actor.lockOf(leaseKey));
    expect((stop.log['lockMicros'] as bigint) + (stop.log['refundedMicros'] as bigint)).toBe(18_000_000n);
    expect(await standing()).toEqual(await onChain());
  });

  it('makes final what the chain calls final and what was seen for long enough, each log once', async () => {
    const one = follower({ minFinalityAgeMs: 60_000 });
    await catchUp(one);
    await actor.mine(40);
    await catchUp(one);
    expect((await heard()).filter((event) => event.startsWith('Finalized'))).toEqual([]);
    clock.shiftMs = 60_001;
    await one.step();
    await one.step();
    expect((await heard()).slice(2)).toEqual([
      'Finalized SpendingLimitSet',
      'Finalized Deposited 1000000000',
    ]);
    const { position } = one.status();
    expect(position!.final.number).toBe((await actor.height()) - 16);
    expect(await dataSource.query('SELECT count(*)::int AS blocks FROM chain_blocks')).toEqual([
      { blocks: 16 },
    ]);
  });

  it('goes on after a restart without loss and without doubles', async () => {
    await catchUp(follower());
    await actor.deposit(5n);
    await catchUp(follower());
    await catchUp(follower());
    await actor.deposit(6n);
    await catchUp(follower());
    expect(await standing()).toEqual(await onChain());
    expect(new Set(await standing()).size).toBe((await standing()).length);
  });

  it('takes back the logs of a reorganisation, newest first, and plays what is there instead', async () => {
    const one = follower();
    const earlier = await actor.rpc.send('evm_snapshot', []);
    await actor.deposit(1n);
    await actor.deposit(2n);
    await catchUp(one);
    const before = (await heard()).length;
    await actor.rpc.send('evm_revert', [earlier]);
    await actor.deposit(3n);
    await actor.deposit(4n);
    await actor.deposit(5n);
    await catchUp(one);
    expect((await heard()).slice(before)).toEqual([
      'Retracted Deposited 2',
      'Retracted Deposited 1',
      'Observed Deposited 3',
      'Observed Deposited 4',
      'Observed Deposited 5',
    ]);
    expect(await standing()).toEqual(await onChain());
  });

  it('sees a reorganisation that leaves the height as it was', async () => {
    const one = follower();
    await actor.deposit(1n);
    await actor.deposit(2n);
    await catchUp(one);
    const height = await actor.height();
    await actor.rpc.send('anvil_reorg', [2, []]);
    expect(await actor.height()).toBe(height);
    await catchUp(one);
    expect((await heard()).slice(-2)).toEqual(['Retracted Deposited 2', 'Retracted Deposited 1']);
    expect(await standing()).toEqual(await onChain());
  });

  it('takes back what a chain has lost that came back shorter, but not what a lagging node does not show yet', async () => {
    const one = follower({ lagGraceMs: 2_000 });
    const earlier = await actor.rpc.send('evm_snapshot', []);
    await actor.deposit(1n);
    await catchUp(one);
    const before = await heard();
    await actor.rpc.send('evm_revert', [earlier]);
    await one.step();
    expect(await heard()).toEqual(before);
    clock.shiftMs = 2_001;
    await catchUp(one);
    expect((await heard()).slice(before.length)).toEqual(['Retracted Deposited 1']);
    await actor.deposit(2n);
    await catchUp(one);
    expect(await standing()).toEqual(await onChain());
  });

  it('equals the chain after any history of deposits, reorganisations and restarts', async () => {
    // A reorganisation below finality is another test's matter: nothing becomes final here.
    const minFinalityAgeMs = 10 ** 9;
    let one = follower({ minFinalityAgeMs });
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
      else if (what === 8) one = follower({ minFinalityAgeMs, maxRange: 1 + next(5) });
      else await one.step();
    }
    await catchUp(one);
    expect({ seed, standing: await standing() }).toEqual({ seed, standing: await onChain() });
  });

  it('halts on a reorganisation below finality, says so once, and does not go on', async () => {
    const one = follower();
    const earlier = await actor.rpc.send('evm_snapshot', []);
    await actor.deposit(1n);
    await actor.mine(40);
    await catchUp(one);
    await actor.rpc.send('evm_revert', [earlier]);
    await actor.mine(60);
    await actor.deposit(2n);
    for (let i = 0; i < 3; i += 1) expect(await one.step()).toBe(false);
    expect(one.status().halted?.reason).toMatch(/below finality/);
    expect((await heard()).filter((event) => event === 'ChainHalted')).toHaveLength(1);
    expect(await heard('ProviderRegistry')).toContain('ChainHalted');
    expect(await heard()).not.toContain('Observed Deposited 2');
    const again = follower();
    await again.step();
    expect(again.status().halted?.reason).toMatch(/below finality/);
    expect((await heard()).filter((event) => event === 'ChainHalted')).toHaveLength(1);
  });

  it('halts on a chain that it does not know, and goes on when the known one is back', async () => {
    const one = follower({ haltGraceMs: 1_000 });
    await catchUp(one);
    const other = await startAnvil();
    try {
      rpc.cut();
      await expect(one.step()).rejects.toMatchObject({ code: 'rpc_unavailable' });
      rpc.mend();
      rpc.moveTo(other.rpcUrl);
      await one.step();
      expect(one.status().halted).toBeNull();
      clock.shiftMs = 1_001;
      await one.step();
      expect(one.status().halted?.reason).toMatch(/began with/);
      expect((await heard()).at(-1)).toBe('ChainHalted');
      rpc.moveTo(anvil.rpcUrl);
      await actor.deposit(7n);
      await catchUp(one);
      expect(one.status().halted).toBeNull();
      expect((await heard()).at(-1)).toBe('Observed Deposited 7');
    } finally {
      await other.stop();
    }
  });

  it('does not believe a node that keeps logs back', async () => {
    const one = follower({ haltGraceMs: 60_000 });
    await catchUp(one);
    await actor.deposit(1n);
    await actor.deposit(2n);
    rpc.tamper = ([method]: RpcCall, answer) =>
      method === 'eth_getLogs' && Array.isArray(answer) ? answer.slice(1) : answer;
    await expect(one.step()).rejects.toMatchObject({ code: 'untrustworthy_answer' });
    expect((await heard()).at(-1)).toBe('Observed Deposited 1000000000');
    rpc.mend();
    await catchUp(one);
    expect(await standing()).toEqual(await onChain());
  });

  it('does not believe logs of another block, nor an answer of another shape', async () => {
    const one = follower({ haltGraceMs: 60_000 });
    await catchUp(one);
    await actor.deposit(1n);
    for (const change of [
      { blockHash: `0x${'1'.repeat(64)}` },
      { transactionHash: `0x${'2'.repeat(64)}` },
      { data: 5 },
    ]) {
      rpc.tamper = ([method]: RpcCall, answer) =>
        method === 'eth_getLogs' ? (answer as object[]).map((log) => ({ ...log, ...change })) : answer;
      await expect(one.step()).rejects.toMatchObject({ code: 'untrustworthy_answer' });
    }
    rpc.tamper = ([method]: RpcCall, answer) => (method === 'eth_getLogs' ? null : answer);
    await expect(one.step()).rejects.toMatchObject({ code: 'untrustworthy_answer' });
    rpc.mend();
    await catchUp(one);
    expect(await standing()).toEqual(await onChain());
  });

  it('asks for less where the node cannot give as much', async () => {
    await actor.mine(50);
    await actor.deposit(1n);
    rpc.tamper = ([method, params]: RpcCall, answer) => {
      const [range] = params as [{ fromBlock: string; toBlock: string }];
      if (method !== 'eth_getLogs' || Number(range.toBlock) - Number(range.fromBlock) < 10) return answer;
      throw new RpcError(method, { code: -32_005, message: 'query exceeds max block range 10' });
    };
    const one = follower();
    await eventually(async () => {
      await catchUp(one);
      return one.status().position!.indexed.number === (await actor.height());
    });
    expect(await standing()).toEqual(await onChain());
  });

  it('never moves the index twice when two processes follow at once', async () => {
    const [one, two] = [follower(), follower()];
    await catchUp(one);
    await catchUp(two);
    await actor.deposit(1n);
    await Promise.allSettled([one.step(), two.step()]);
    await actor.deposit(2n);
    await Promise.allSettled([one.step(), two.step()]);
    await catchUp(one);
    await catchUp(two);
    expect(await standing()).toEqual(await onChain());
  });

  it('takes many logs of one block in one step', async () => {
    const one = follower();
    await catchUp(one);
    await actor.depositsInOneBlock(60);
    await catchUp(one);
    expect(await standing()).toEqual(await onChain());
  });
});
