// Real: Postgres, anvil, the contracts. Broken on purpose: the line between signer and node, the process, the chain.
import { describe, expect, it, jest } from '@jest/globals';
import { eventually } from '@gridbourse/testing';
import { openLease, OPERATOR } from '../../test/market.ts';
import { signerWorld } from '../../test/signer-world.ts';
import { chainProvider } from '../chain-provider.ts';
import { RpcError, rpcUnavailable } from '../json-rpc.ts';

jest.setTimeout(60_000);

describe('the nonces of the durable signer', () => {
  const world = signerWorld();

  it('uses up the nonce of bytes that the node will never take, and goes on with the next', async () => {
    const one = world.signer();
    const poisoned = openLease(1n).slice(2, 200);
    world.rpc.before = (method, params) => {
      const [raw] = params as string[];
      if (method === 'eth_sendRawTransaction' && raw!.includes(poisoned)) {
        throw new RpcError(method, { code: -32_000, message: 'intrinsic gas too low' });
      }
    };
    await world.enqueue(one, 'poison', openLease(1n));
    await world.enqueue(one, 'good', openLease(2n));
    const nonce = await world.nonceOnChain();
    one.start();
    expect(await world.toldAll(2)).toEqual([
      { id: 'poison', status: 'rejected', code: 'Refused' },
      { id: 'good', status: 'confirmed', code: null },
    ]);
    expect(await world.nonceOnChain()).toBe(nonce + 2);
    expect(await world.openedLeases([1n, 2n])).toEqual([false, true]);
  });

  it('signs again with a higher fee when the first is too low', async () => {
    const one = world.signer();
    let refused = 0;
    world.rpc.before = (method) => {
      if (method === 'eth_sendRawTransaction' && (refused += 1) === 1) {
        throw new RpcError(method, { code: -32_000, message: 'max fee per gas less than block base fee' });
      }
    };
    await world.enqueue(one, 'open', openLease(1n));
    one.start();
    expect((await world.toldAll(1))[0]).toMatchObject({ status: 'confirmed' });
    const fees = await world.dataSource.query<{ fee: string }[]>(
      'SELECT max_fee_per_gas AS fee FROM signer_transactions ORDER BY attempt',
    );
    expect(fees).toHaveLength(2);
    expect(BigInt(fees[1]!.fee)).toBeGreaterThan(BigInt(fees[0]!.fee));
  });

  it('gives a nonce that another transaction of the key took to nobody twice', async () => {
    const one = world.signer();
    one.start();
    await world.enqueue(one, 'first', openLease(1n));
    await world.toldAll(1);
    const provider = chainProvider(world.anvil.rpcUrl, world.deployment.chainId);
    await world.node().send('anvil_impersonateAccount', [OPERATOR.address]);
    await world
      .node()
      .send('eth_sendTransaction', [{ from: OPERATOR.address, to: OPERATOR.address, value: '0x0' }]);
    provider.destroy();
    await world.enqueue(one, 'second', openLease(2n));
    expect((await world.toldAll(2))[1]).toEqual({ id: 'second', status: 'confirmed', code: null });
    expect(await world.openedLeases([1n, 2n])).toEqual([true, true]);
  });

  it('signs an intent anew when another transaction took the nonce of its stored bytes', async () => {
    const one = world.signer();
    world.rpc.before = (method) => {
      if (method === 'eth_sendRawTransaction') throw rpcUnavailable(method, new Error('not sent'));
    };
    one.start();
    await world.enqueue(one, 'open', openLease(1n));
    await eventually(async () => {
      const [{ stored }] = await world.dataSource.query<[{ stored: number }]>(
        'SELECT count(*)::int AS stored FROM signer_transactions',
      );
      return stored === 1;
    });
    await world.node().send('anvil_impersonateAccount', [OPERATOR.address]);
    await world
      .node()
      .send('eth_sendTransaction', [{ from: OPERATOR.address, to: OPERATOR.address, value: '0x0' }]);
    world.rpc.mend();
    expect(await world.toldAll(1, 20_000)).toEqual([{ id: 'open', status: 'confirmed', code: null }]);
    const nonces = await world.dataSource.query('SELECT state FROM signer_nonces ORDER BY nonce');
    expect(nonces).toEqual([{ state: 'displaced' }, { state: 'mined' }]);
  });
});
