// Real: Postgres, anvil, the contracts. Broken on purpose: the line between signer and node, the process, the chain.
import { describe, expect, it, jest } from '@jest/globals';
import { eventually } from '@gridbourse/testing';
import { openLease } from '../../test/market.ts';
import { connect, signerWorld } from '../../test/signer-world.ts';
import { rpcUnavailable } from '../json-rpc.ts';

jest.setTimeout(60_000);

describe('the durable signer, when something fails around it', () => {
  const world = signerWorld();

  it('sends the stored bytes after a crash between storing and sending', async () => {
    const first = world.signer();
    world.rpc.before = (method) => {
      if (method === 'eth_sendRawTransaction') throw rpcUnavailable(method, new Error('crash'));
    };
    await world.enqueue(first, 'open', openLease(1n));
    first.start();
    const [{ raw }] = await eventually(async () => {
      const rows = await world.dataSource.query<{ raw: string }[]>('SELECT raw FROM signer_transactions');
      return rows.length === 1 && (rows as [{ raw: string }]);
    });
    await first.stop();
    world.rpc.mend();
    const second = world.signer();
    second.start();
    expect(await world.toldAll(1)).toEqual([{ id: 'open', status: 'confirmed', code: null }]);
    expect(world.rpc.rawSent()).toEqual([raw]);
  });

  it('looks the hash up when the answer to a send is lost', async () => {
    const one = world.signer();
    let lost = 0;
    world.rpc.after = (method) => {
      if (method === 'eth_sendRawTransaction' && (lost += 1) <= 3)
        throw rpcUnavailable(method, new Error('lost'));
    };
    await world.enqueue(one, 'a', openLease(1n));
    await world.enqueue(one, 'b', openLease(2n));
    await world.enqueue(one, 'c', openLease(3n));
    const nonce = await world.nonceOnChain();
    one.start();
    expect((await world.toldAll(3)).map(({ id, status }) => `${id} ${status}`)).toEqual([
      'a confirmed',
      'b confirmed',
      'c confirmed',
    ]);
    expect(await world.nonceOnChain()).toBe(nonce + 3);
  });

  it('goes on when the node was away', async () => {
    const one = world.signer();
    world.rpc.cut();
    one.start();
    await world.enqueue(one, 'open', openLease(1n));
    await eventually(() => one.status().state === 'failing');
    world.rpc.mend();
    expect((await world.toldAll(1))[0]).toMatchObject({ status: 'confirmed' });
    expect(one.status()).toMatchObject({ state: 'working', reason: null, balanceIsLow: false });
  });

  it('tries an outcome again whose handler failed', async () => {
    let failures = 0;
    const one = world.signer({}, () => {
      if ((failures += 1) <= 2) throw new Error('not now');
    });
    await world.enqueue(one, 'open', openLease(1n));
    one.start();
    expect(await world.toldAll(1)).toEqual([{ id: 'open', status: 'confirmed', code: null }]);
    expect(failures).toBe(3);
  });

  it('survives the loss of its database connection', async () => {
    const one = world.signer();
    one.start();
    await world.enqueue(one, 'a', openLease(1n));
    await world.toldAll(1);
    const cutter = await connect(world.database.url);
    // Of this database only: other tests hold locks in others of the same server.
    await cutter.query(
      `SELECT pg_terminate_backend(l.pid, 5000) FROM pg_locks l
       JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
       WHERE l.locktype = 'advisory' AND l.granted AND l.pid <> pg_backend_pid()`,
    );
    await cutter.destroy();
    await world.enqueue(one, 'b', openLease(2n));
    expect((await world.toldAll(2)).map(({ status }) => status)).toEqual(['confirmed', 'confirmed']);
  });
});
