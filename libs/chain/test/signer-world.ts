import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals';
import { type Anvil, startAnvil } from '@gridbourse/infra';
import { systemClock } from '@gridbourse/kernel';
import { eventually, testDatabase, type TestDatabase } from '@gridbourse/testing';
import { DataSource } from 'typeorm';
import { chainProvider } from '../src/chain-provider.ts';
import { computeMarket } from '../src/contracts.ts';
import type { Deployment } from '../src/deployment.ts';
import { HttpRpc } from '../src/json-rpc.ts';
import { chainLeaseKey } from '../src/lease-key.ts';
import { DurableSigner, type DurableSignerOptions } from '../src/signer/durable-signer.ts';
import { signerMigration } from '../src/signer/signer.migration.ts';
import { SignerStore } from '../src/signer/signer-store.ts';
import type { TxOutcome } from '../src/signer/types.ts';
import { FaultyRpc } from './faulty-rpc.ts';
import { openMarket, OPERATOR } from './market.ts';

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

export const connect = (url: string): Promise<DataSource> =>
  new DataSource({ type: 'postgres', url, migrations: [signerMigration], poolSize: 8 }).initialize();

const migrate = async (url: string): Promise<void> => {
  const dataSource = await connect(url);
  await dataSource.runMigrations();
  await dataSource.query(
    'CREATE TABLE told (position serial, id text, status text, tx_hash text, code text)',
  );
  await dataSource.destroy();
};

export type Told = { id: string; status: string; code: string | null };

/** Signers with a real Postgres, a real chain with the contracts, and a line between them that a test may break. */
export class SignerWorld {
  anvil!: Anvil;
  deployment!: Deployment;
  database!: TestDatabase;
  dataSource!: DataSource;
  rpc!: FaultyRpc;
  /** To what the chain returns after each test. */
  private snapshot: unknown;
  private signers: DurableSigner[] = [];

  /** With a genesis time of its own, so that a later node can be the same chain. */
  readonly genesisSeconds = Math.floor(Date.now() / 1_000);

  async open(): Promise<void> {
    this.anvil = await startAnvil({ genesisSeconds: this.genesisSeconds });
    this.deployment = await openMarket(this.anvil.rpcUrl);
  }

  async begin(): Promise<void> {
    await this.keepChain();
    this.database = await testDatabase('durable_signer', migrate);
    this.dataSource = await connect(this.database.url);
    this.rpc = new FaultyRpc(this.anvil.rpcUrl);
  }

  async end(): Promise<void> {
    await Promise.all(this.signers.map((one) => one.stop()));
    this.signers = [];
    await this.dataSource.destroy();
    await this.database.drop();
    await this.node().send('evm_revert', [this.snapshot]);
  }

  async keepChain(): Promise<void> {
    this.snapshot = await this.node().send('evm_snapshot', []);
  }

  signer(options: Partial<DurableSignerOptions> = {}, handler?: (outcome: TxOutcome) => void): DurableSigner {
    const made = new DurableSigner({
      store: new SignerStore(this.dataSource),
      rpc: this.rpc,
      key: OPERATOR.privateKey,
      clock: systemClock,
      logger: quiet,
      idleMs: 20,
      ...options,
    });
    made.onOutcome(async (outcome, manager) => {
      handler?.(outcome);
      const code = outcome.status === 'confirmed' ? null : (outcome.error?.code ?? null);
      await manager.query('INSERT INTO told (id, status, tx_hash, code) VALUES ($1, $2, $3, $4)', [
        outcome.id,
        outcome.status,
        outcome.txHash,
        code,
      ]);
    });
    this.signers.push(made);
    return made;
  }

  async enqueue(to: DurableSigner, id: string, data: string, gasLimit?: bigint): Promise<void> {
    const intent = { id, to: this.deployment.contracts.ComputeMarket, data };
    await this.dataSource.transaction((manager) =>
      to.enqueue(manager, gasLimit === undefined ? intent : { ...intent, gasLimit }),
    );
    to.wake();
  }

  told(): Promise<Told[]> {
    return this.dataSource.query('SELECT id, status, code FROM told ORDER BY position');
  }

  toldAll(count: number, deadlineMs = 10_000): Promise<Told[]> {
    return eventually(
      async () => {
        const all = await this.told();
        return all.length >= count && all;
      },
      { deadlineMs },
    );
  }

  node(): HttpRpc {
    return new HttpRpc(this.anvil.rpcUrl);
  }

  async nonceOnChain(): Promise<number> {
    return Number(await this.node().send('eth_getTransactionCount', [OPERATOR.address, 'latest']));
  }

  async openedLeases(serials: readonly bigint[]): Promise<boolean[]> {
    const provider = chainProvider(this.anvil.rpcUrl, this.deployment.chainId);
    try {
      const market = computeMarket(this.deployment.contracts.ComputeMarket, provider);
      return await Promise.all(
        serials.map(async (serial) => (await market.leaseOf(chainLeaseKey(1, serial))).openedAt > 0n),
      );
    } finally {
      provider.destroy();
    }
  }
}

/** Opens a world for the tests of a file: one chain for all of them, put back after each; a database for each. */
export const signerWorld = (): SignerWorld => {
  const world = new SignerWorld();
  beforeAll(() => world.open());
  beforeEach(() => world.begin());
  afterEach(() => world.end());
  afterAll(() => world.anvil.stop());
  return world;
};
