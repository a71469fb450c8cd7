import { interfaces } from '@gridbourse/chain';
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
import { type Anvil, startAnvil } from '@gridbourse/infra';
import { type Clock, systemClock } from '@gridbourse/kernel';
import { silentLogger } from '@gridbourse/observability';
import { tableRows, testDatabase, type TestDatabase } from '@gridbourse/testing';
import { expect } from '@jest/globals';
import { DataSource } from 'typeorm';
import { ChainSource } from '../src/adapters/chain-source.ts';
import { IndexStore } from '../src/adapters/index-store.ts';
import { Follower, type FollowerOptions } from '../src/features/follow-chain/follower.ts';
import { logsReadModel } from '../src/read-models/logs-read-model.ts';
import { Actor } from './chain.ts';
import { FaultyRpc } from './faulty-rpc.ts';

const migrations = [
  ...eventStoreMigrations,
  ...sqlMigrations(new URL('../migrations/', import.meta.url), 'chain-indexer'),
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

/** What setting the market up says, which nobody follows. */
const SET_UP = ['RoleGranted', 'Upgraded', 'Initialized'].map(
  (name) => interfaces.ComputeMarket.getEvent(name)!.topicHash,
);

/** An anvil with the contracts and a funded tenant; each test begins from there, with an empty index of its own. */
export class FollowedChain {
  rpc!: FaultyRpc;
  clock!: ShiftedClock;
  dataSource!: DataSource;
  private events!: EventStore<ChainIndexerEvent>;
  private database!: TestDatabase;
  private snapshot: unknown;

  private constructor(
    readonly anvil: Anvil,
    readonly actor: Actor,
  ) {}

  static async start(): Promise<FollowedChain> {
    const anvil = await startAnvil({ slotsInAnEpoch: 8 });
    const actor = await Actor.on(anvil.rpcUrl);
    await actor.registerProvider();
    await actor.consent();
    await actor.deposit(1_000_000_000n);
    return new FollowedChain(anvil, actor);
  }

  async stop(): Promise<void> {
    this.actor.close();
    await this.anvil.stop();
  }

  async begin(): Promise<void> {
    this.snapshot = await this.actor.rpc.send('evm_snapshot', []);
    this.database = await testDatabase('chain_indexer', prepare);
    this.dataSource = await connect(this.database.url);
    this.events = new EventStore({
      context: 'chain-indexer',
      catalogue: new EventCatalogue<ChainIndexerEvent>(chainIndexerEvents),
      clock: systemClock,
    });
    this.rpc = new FaultyRpc(this.anvil.rpcUrl);
    this.clock = new ShiftedClock();
  }

  /** Whatever the chain has done: the index is what the events make of it. */
  async end(): Promise<void> {
    const { dataSource, events } = this;
    const before = await tableRows(dataSource, ['chain_logs']);
    await dataSource.query(`UPDATE chain_logs SET seen_at_ms = 0, tx_hash = 'wrong'`);
    await new ReadModelRebuild<DomainEvent>({
      ...{ dataSource, store: events, readModel: logsReadModel, logger: silentLogger, pageSize: 3 },
    }).run();
    expect(await tableRows(dataSource, ['chain_logs'])).toEqual(before);
    await dataSource.destroy();
    await this.database.drop();
    await this.actor.rpc.send('evm_revert', [this.snapshot]);
  }

  follower(options: Partial<FollowerOptions> = {}): Follower {
    const { deployment } = this.actor;
    return new Follower({
      source: new ChainSource(this.rpc, deployment),
      store: new IndexStore(this.dataSource, this.events),
      clock: this.clock,
      logger: silentLogger,
      ...deployment,
      maxRange: 500,
      minFinalityAgeMs: 0,
      lagGraceMs: 0,
      haltGraceMs: 0,
      ...options,
    });
  }

  async history(contract = 'ComputeMarket'): Promise<ChainIndexerEvent[]> {
    return (await this.events.load(this.dataSource.manager, contract)).events;
  }

  /** `Observed Deposited 5`: what consumers hear, in their order. */
  async heard(contract?: string): Promise<string[]> {
    return (await this.history(contract)).map((event) => {
      if (event.type === 'ChainHalted') return event.type;
      const amount = 'amountMicros' in event.log ? ` ${event.log.amountMicros}` : '';
      return `${event.type.replace('ChainEvent', '')} ${event.log.name}${amount}`;
    });
  }

  /** What is left when each retraction takes its observation away. */
  async standing(): Promise<string[]> {
    const there: string[] = [];
    for (const event of await this.history()) {
      if (event.type === 'ChainHalted' || event.type === 'ChainEventFinalized') continue;
      const place = `${event.blockHash}/${event.logIndex}`;
      if (event.type === 'ChainEventObserved') there.push(place);
      else expect(there.pop()).toBe(place);
    }
    return there;
  }

  async onChain(): Promise<string[]> {
    const { rpc, deployment } = this.actor;
    const filter = { fromBlock: '0x0', toBlock: 'latest', address: deployment.contracts.ComputeMarket };
    const logs = (await rpc.send('eth_getLogs', [filter])) as {
      blockHash: string;
      logIndex: string;
      topics: string[];
    }[];
    return logs
      .filter((log) => !SET_UP.includes(log.topics[0]!))
      .map((log) => `${log.blockHash}/${Number(log.logIndex)}`);
  }
}

/** Until it has taken in all there is. */
export const catchUp = async (one: Follower): Promise<void> => {
  while (await one.step());
};
