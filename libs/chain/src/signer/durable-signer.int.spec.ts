// Real: Postgres, anvil, the contracts. Broken on purpose: the line between signer and node, the process, the chain.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { nextInt, seededRandom, systemClock } from '@gridbourse/kernel';
import { eventually, testDatabase, type TestDatabase } from '@gridbourse/testing';
import { copyFileSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataSource } from 'typeorm';
import { FaultyRpc } from '../../test/faulty-rpc.ts';
import { openLease, openMarket, OPERATOR } from '../../test/market.ts';
import { type Anvil, startAnvil } from '../anvil.ts';
import { encodeCloseLease, encodeSettleBatch } from '../calldata.ts';
import { computeMarket } from '../contracts.ts';
import { chainProvider } from '../chain-provider.ts';
import { type Deployment } from '../deployment.ts';
import { HttpRpc, RpcError, rpcUnavailable } from '../json-rpc.ts';
import { chainLeaseKey } from '../lease-key.ts';
import { DurableSigner, type DurableSignerOptions } from './durable-signer.ts';
import { signerMigration } from './signer.migration.ts';
import { SignerStore } from './signer-store.ts';
import type { TxOutcome } from './types.ts';

jest.setTimeout(60_000);

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

const connect = (url: string): Promise<DataSource> =>
  new DataSource({ type: 'postgres', url, migrations: [signerMigration], poolSize: 8 }).initialize();

const migrate = async (url: string): Promise<void> => {
  const dataSource = await connect(url);
  await dataSource.runMigrations();
  await dataSource.query(
    'CREATE TABLE told (position serial, id text, status text, tx_hash text, code text)',
  );
  await dataSource.destroy();
};

describe('durable signer', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gridbourse-signer-'));
  const stateFile = join(folder, 'state.json');
  let anvil: Anvil;
  let deployment: Deployment;
  let snapshot: unknown;
  let database: TestDatabase;
  let dataSource: DataSource;
  let rpc: FaultyRpc;
  let signers: DurableSigner[] = [];

  const signer = (
    options: Partial<DurableSignerOptions> = {},
    handler?: (outcome: TxOutcome) => void,
  ): DurableSigner => {
    const made = new DurableSigner({
      store: new SignerStore(dataSource),
      rpc,
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
    signers.push(made);
    return made;
  };

  const enqueue = async (to: DurableSigner, id: string, data: string, gasLimit?: bigint): Promise<void> => {
    const intent = { id, to: deployment.contracts.ComputeMarket, data };
    await dataSource.transaction((manager) =>
      to.enqueue(manager, gasLimit === undefined ? intent : { ...intent, gasLimit }),
    );
    to.wake();
  };

  type Told = { id: string; status: string; code: string | null };
  const told = (): Promise<Told[]> => dataSource.query('SELECT id, status, code FROM told ORDER BY position');
  const toldAll = (count: number, deadlineMs = 10_000): Promise<Told[]> =>
    eventually(
      async () => {
        const all = await told();
        return all.length >= count && all;
      },
      { deadlineMs },
    );

  const node = () => new HttpRpc(anvil.rpcUrl);
  const nonceOnChain = async (): Promise<number> =>
    Number(await node().send('eth_getTransactionCount', [OPERATOR.address, 'latest']));
  const openedLeases = async (serials: readonly bigint[]): Promise<boolean[]> => {
    const provider = chainProvider(anvil.rpcUrl, deployment.chainId);
    try {
      const market = computeMarket(deployment.contracts.ComputeMarket, provider);
      return await Promise.all(
        serials.map(async (serial) => (await market.leaseOf(chainLeaseKey(1, serial))).openedAt > 0n),
      );
    } finally {
      provider.destroy();
    }
  };

  beforeAll(async () => {
    anvil = await startAnvil({ stateFile });
    deployment = await openMarket(anvil.rpcUrl);
  });
  beforeEach(async () => {
    snapshot = await node().send('evm_snapshot', []);
    database = await testDatabase('durable_signer', migrate);
    dataSource = await connect(database.url);
    rpc = new FaultyRpc(anvil.rpcUrl);
  });
  afterEach(async () => {
    await Promise.all(signers.map((one) => one.stop()));
    signers = [];
    await dataSource.destroy();
    await database.drop();
    await node().send('evm_revert', [snapshot]);
  });
  afterAll(() => anvil.stop());

  it('sends intents in their order and tells each outcome once', async () => {
    const one = signer();
    for (let serial = 1n; serial <= 20n; serial += 1n)
      await enqueue(one, `open ${serial}`, openLease(serial));
    one.start();
    const all = await toldAll(20);
    expect(all.map(({ id }) => id)).toEqual(Array.from({ length: 20 }, (_, i) => `open ${i + 1}`));
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set(['confirmed']));
    expect(rpc.rawSent()).toHaveLength(20);
  });

  it('takes the same intent once, and refuses the same id with another content', async () => {
    const one = signer();
    one.start();
    await enqueue(one, 'open', openLease(1n));
    await enqueue(one, 'open', openLease(1n));
    await expect(enqueue(one, 'open', openLease(2n))).rejects.toMatchObject({ code: 'intent_reused' });
    await toldAll(1);
    await enqueue(one, 'open', openLease(1n));
    await enqueue(one, 'next', openLease(3n));
    expect((await toldAll(2)).map(({ id }) => id)).toEqual(['open', 'next']);
  });

  it('refuses what would revert without spending a nonce, and says why', async () => {
    const one = signer();
    const nonce = await nonceOnChain();
    await enqueue(one, 'too much', openLease(1n, 3_600_000));
    one.start();
    expect(await toldAll(1)).toEqual([{ id: 'too much', status: 'rejected', code: 'InsufficientFree' }]);
    expect(await nonceOnChain()).toBe(nonce);
  });

  it('does not refuse what only depends on an intent before it', async () => {
    const one = signer();
    await enqueue(one, 'open', openLease(1n));
    await enqueue(one, 'close', encodeCloseLease(chainLeaseKey(1, 1n), 0n));
    one.start();
    expect((await toldAll(2)).map(({ status }) => status)).toEqual(['confirmed', 'confirmed']);
  });

  it('tells a revert in the block, with the reason', async () => {
    const one = signer();
    // The escrow holds one of the two; sent together, each passes alone.
    await enqueue(one, 'first', openLease(1n, 600_000));
    await enqueue(one, 'second', openLease(2n, 600_000));
    one.start();
    expect(await toldAll(2)).toEqual([
      { id: 'first', status: 'confirmed', code: null },
      { id: 'second', status: 'reverted', code: 'InsufficientFree' },
    ]);
  });

  it('sends the stored bytes after a crash between storing and sending', async () => {
    const first = signer();
    rpc.before = (method) => {
      if (method === 'eth_sendRawTransaction') throw rpcUnavailable(method, new Error('crash'));
    };
    await enqueue(first, 'open', openLease(1n));
    first.start();
    const [{ raw }] = await eventually(async () => {
      const rows = await dataSource.query<{ raw: string }[]>('SELECT raw FROM signer_transactions');
      return rows.length === 1 && (rows as [{ raw: string }]);
    });
    await first.stop();
    rpc.mend();
    const second = signer();
    second.start();
    expect(await toldAll(1)).toEqual([{ id: 'open', status: 'confirmed', code: null }]);
    expect(rpc.rawSent()).toEqual([raw]);
  });

  it('looks the hash up when the answer to a send is lost', async () => {
    const one = signer();
    let lost = 0;
    rpc.after = (method) => {
      if (method === 'eth_sendRawTransaction' && (lost += 1) <= 3)
        throw rpcUnavailable(method, new Error('lost'));
    };
    await enqueue(one, 'a', openLease(1n));
    await enqueue(one, 'b', openLease(2n));
    await enqueue(one, 'c', openLease(3n));
    const nonce = await nonceOnChain();
    one.start();
    expect((await toldAll(3)).map(({ id, status }) => `${id} ${status}`)).toEqual([
      'a confirmed',
      'b confirmed',
      'c confirmed',
    ]);
    expect(await nonceOnChain()).toBe(nonce + 3);
  });

  it('goes on when the node was away', async () => {
    const one = signer();
    rpc.cut();
    one.start();
    await enqueue(one, 'open', openLease(1n));
    await eventually(() => one.status().state === 'failing');
    rpc.mend();
    expect((await toldAll(1))[0]).toMatchObject({ status: 'confirmed' });
    expect(one.status()).toMatchObject({ state: 'working', reason: null, balanceIsLow: false });
  });

  it('uses up the nonce of bytes that the node will never take, and goes on with the next', async () => {
    const one = signer();
    const poisoned = openLease(1n).slice(2, 200);
    rpc.before = (method, params) => {
      const [raw] = params as string[];
      if (method === 'eth_sendRawTransaction' && raw!.includes(poisoned)) {
        throw new RpcError(method, { code: -32_000, message: 'intrinsic gas too low' });
      }
    };
    await enqueue(one, 'poison', openLease(1n));
    await enqueue(one, 'good', openLease(2n));
    const nonce = await nonceOnChain();
    one.start();
    expect(await toldAll(2)).toEqual([
      { id: 'poison', status: 'rejected', code: 'Refused' },
      { id: 'good', status: 'confirmed', code: null },
    ]);
    expect(await nonceOnChain()).toBe(nonce + 2);
    expect(await openedLeases([1n, 2n])).toEqual([false, true]);
  });

  it('signs again with a higher fee when the first is too low', async () => {
    const one = signer();
    let refused = 0;
    rpc.before = (method) => {
      if (method === 'eth_sendRawTransaction' && (refused += 1) === 1) {
        throw new RpcError(method, { code: -32_000, message: 'max fee per gas less than block base fee' });
      }
    };
    await enqueue(one, 'open', openLease(1n));
    one.start();
    expect((await toldAll(1))[0]).toMatchObject({ status: 'confirmed' });
    const fees = await dataSource.query<{ fee: string }[]>(
      'SELECT max_fee_per_gas AS fee FROM signer_transactions ORDER BY attempt',
    );
    expect(fees).toHaveLength(2);
    expect(BigInt(fees[1]!.fee)).toBeGreaterThan(BigInt(fees[0]!.fee));
  });

  it('gives a nonce that another transaction of the key took to nobody twice', async () => {
    const one = signer();
    one.start();
    await enqueue(one, 'first', openLease(1n));
    await toldAll(1);
    const provider = chainProvider(anvil.rpcUrl, deployment.chainId);
    await node().send('anvil_impersonateAccount', [OPERATOR.address]);
    await node().send('eth_sendTransaction', [
      { from: OPERATOR.address, to: OPERATOR.address, value: '0x0' },
    ]);
    provider.destroy();
    await enqueue(one, 'second', openLease(2n));
    expect((await toldAll(2))[1]).toEqual({ id: 'second', status: 'confirmed', code: null });
    expect(await openedLeases([1n, 2n])).toEqual([true, true]);
  });

  it('signs an intent anew when another transaction took the nonce of its stored bytes', async () => {
    const one = signer();
    rpc.before = (method) => {
      if (method === 'eth_sendRawTransaction') throw rpcUnavailable(method, new Error('not sent'));
    };
    one.start();
    await enqueue(one, 'open', openLease(1n));
    await eventually(async () => {
      const [{ stored }] = await dataSource.query<[{ stored: number }]>(
        'SELECT count(*)::int AS stored FROM signer_transactions',
      );
      return stored === 1;
    });
    await node().send('anvil_impersonateAccount', [OPERATOR.address]);
    await node().send('eth_sendTransaction', [
      { from: OPERATOR.address, to: OPERATOR.address, value: '0x0' },
    ]);
    rpc.mend();
    expect(await toldAll(1, 20_000)).toEqual([{ id: 'open', status: 'confirmed', code: null }]);
    const nonces = await dataSource.query('SELECT state FROM signer_nonces ORDER BY nonce');
    expect(nonces).toEqual([{ state: 'displaced' }, { state: 'mined' }]);
  });

  it('tries an outcome again whose handler failed', async () => {
    let failures = 0;
    const one = signer({}, () => {
      if ((failures += 1) <= 2) throw new Error('not now');
    });
    await enqueue(one, 'open', openLease(1n));
    one.start();
    expect(await toldAll(1)).toEqual([{ id: 'open', status: 'confirmed', code: null }]);
    expect(failures).toBe(3);
  });

  it('lets one process work and the other stand by until the first is gone', async () => {
    const first = signer();
    first.start();
    await enqueue(first, 'a', openLease(1n));
    await toldAll(1);
    const second = signer();
    second.start();
    await eventually(() => second.status().state === 'standby');
    await enqueue(second, 'b', openLease(2n));
    await toldAll(2);
    await first.stop();
    await enqueue(second, 'c', openLease(3n));
    expect((await toldAll(3)).map(({ id }) => id)).toEqual(['a', 'b', 'c']);
  });

  it('survives the loss of its database connection', async () => {
    const one = signer();
    one.start();
    await enqueue(one, 'a', openLease(1n));
    await toldAll(1);
    const cutter = await connect(database.url);
    await cutter.query('SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = $1 AND granted', [
      'advisory',
    ]);
    await cutter.destroy();
    await enqueue(one, 'b', openLease(2n));
    expect((await toldAll(2)).map(({ status }) => status)).toEqual(['confirmed', 'confirmed']);
  });

  it('settles in one batch as often as it is asked, and pays once', async () => {
    const one = signer();
    one.start();
    await enqueue(one, 'open', openLease(1n));
    await toldAll(1);
    await node().send('evm_increaseTime', [100]);
    const row = { leaseKey: chainLeaseKey(1, 1n), cumulativeMicros: 50_000n };
    await enqueue(one, 'settle', encodeSettleBatch([row, row]));
    await enqueue(one, 'settle again', encodeSettleBatch([row]));
    await toldAll(3);
    const provider = chainProvider(anvil.rpcUrl, deployment.chainId);
    const { earned } = await computeMarket(deployment.contracts.ComputeMarket, provider).earningsOf(1);
    provider.destroy();
    expect(earned).toBe(50_000n);
  });

  it('sends the same bytes again when the chain has lost its last blocks', async () => {
    const one = signer();
    one.start();
    await enqueue(one, 'before', openLease(1n));
    await toldAll(1);
    const earlier = await node().send('evm_snapshot', []);
    await enqueue(one, 'a', openLease(2n));
    await enqueue(one, 'b', openLease(3n));
    await toldAll(3);
    await node().send('evm_revert', [earlier]);
    await eventually(async () => expect(await openedLeases([1n, 2n, 3n])).toEqual([true, true, true]), {
      deadlineMs: 10_000,
    });
    await eventually(() => one.status().inFlight === 0);
    const sent = rpc.rawSent();
    expect(new Set(sent).size).toBe(3);
    expect(await told()).toHaveLength(3);
  });

  it('tells a changed outcome when a replay of lost blocks ends otherwise', async () => {
    const one = signer();
    one.start();
    await enqueue(one, 'first', openLease(1n, 300_000));
    await toldAll(1);
    const earlier = await node().send('evm_snapshot', []);
    await enqueue(one, 'second', openLease(2n, 300_000));
    await toldAll(2);
    // In the history that replaces it, the tenant has withdrawn what the second lease was to lock.
    await one.stop();
    await node().send('evm_revert', [earlier]);
    const { withdrawAll } = await import('../../test/withdraw-all.ts');
    await withdrawAll(anvil.rpcUrl, deployment);
    signer().start();
    expect((await toldAll(3)).at(-1)).toEqual({ id: 'second', status: 'reverted', code: 'InsufficientFree' });
  });

  it('sends nothing to a chain that it does not know', async () => {
    const one = signer();
    one.start();
    await enqueue(one, 'a', openLease(1n));
    await toldAll(1);
    const other = await startAnvil();
    try {
      rpc.cut();
      await eventually(() => one.status().state === 'failing');
      rpc.mend(other.rpcUrl);
      const sent = rpc.rawSent().length;
      await enqueue(one, 'b', openLease(2n));
      await eventually(() => one.status().state === 'halted');
      expect(rpc.rawSent()).toHaveLength(sent);
      rpc.cut();
      rpc.mend(anvil.rpcUrl);
      expect((await toldAll(2))[1]).toEqual({ id: 'b', status: 'confirmed', code: null });
    } finally {
      await other.stop();
    }
  });

  it.each([1, 2, 3])(
    'carries out each intent once through lost answers, crashes and lost blocks (seed %i)',
    async (seed) => {
      const random = seededRandom(seed);
      let one = signer();
      one.start();
      rpc.after = (method) => {
        if (method === 'eth_sendRawTransaction' && nextInt(random, 4) === 0)
          throw rpcUnavailable(method, new Error('lost'));
      };
      rpc.before = (method) => {
        if (nextInt(random, 25) === 0) throw rpcUnavailable(method, new Error('lost'));
      };
      const serials: bigint[] = [];
      let earlier = await node().send('evm_snapshot', []);
      for (let turn = 0; turn < 40; turn += 1) {
        const what = nextInt(random, 10);
        if (what < 6) {
          const serial = BigInt(serials.length + 1);
          serials.push(serial);
          await enqueue(one, `open ${serial}`, openLease(serial));
        } else if (what === 6) {
          await one.stop();
          one = signer();
          one.start();
        } else if (what === 7) {
          await node().send('evm_revert', [earlier]);
          earlier = await node().send('evm_snapshot', []);
        } else if (what === 8) {
          earlier = await node().send('evm_snapshot', []);
        } else {
          const some = nextInt(random, serials.length + 1);
          await eventually(async () => (await told()).length >= some, { deadlineMs: 30_000 });
        }
      }
      rpc.mend();
      const wanted = serials.map((serial) => `open ${serial}`);
      await eventually(
        async () => expect(new Set((await told()).map(({ id }) => id))).toEqual(new Set(wanted)),
        {
          deadlineMs: 30_000,
        },
      );
      await eventually(async () => expect(await openedLeases(serials)).toEqual(serials.map(() => true)), {
        deadlineMs: 30_000,
      });
      expect((await told()).filter(({ status }) => status !== 'confirmed')).toEqual([]);
      const [{ intents, nonces }] = await dataSource.query<[{ intents: number; nonces: number }]>(
        `SELECT (SELECT count(*)::int FROM signer_intents) AS intents,
              (SELECT count(*)::int FROM signer_nonces WHERE intent_id IS NOT NULL) AS nonces`,
      );
      expect({ seed, intents, nonces }).toEqual({ seed, intents: serials.length, nonces: serials.length });
    },
  );

  // The last: what it leaves on the chain stays.
  it('comes through a chain that is killed and starts again from an older state', async () => {
    const one = signer();
    one.start();
    await enqueue(one, 'a', openLease(1n));
    await toldAll(1);
    const copy = join(folder, 'older.json');
    await eventually(async () => {
      copyFileSync(stateFile, copy);
      const { best_block_number: height } = JSON.parse(
        await (await import('node:fs/promises')).readFile(copy, 'utf8'),
      ) as {
        best_block_number: string;
      };
      return BigInt(height) === BigInt((await node().send('eth_blockNumber', [])) as string);
    });
    for (let serial = 2n; serial <= 6n; serial += 1n) await enqueue(one, `open ${serial}`, openLease(serial));
    await toldAll(6);
    process.kill(anvil.pid, 'SIGKILL');
    await anvil.stop();
    await enqueue(one, 'while away', openLease(7n));
    await eventually(() => one.status().state === 'failing');
    copyFileSync(copy, stateFile);
    anvil = await startAnvil({ stateFile, port: anvil.port });
    snapshot = await node().send('evm_snapshot', []);
    expect((await toldAll(7)).at(-1)).toEqual({ id: 'while away', status: 'confirmed', code: null });
    await eventually(async () =>
      expect(await openedLeases([1n, 2n, 3n, 4n, 5n, 6n, 7n])).toEqual(Array(7).fill(true)),
    );
    expect(await told()).toHaveLength(7);
  });
});
