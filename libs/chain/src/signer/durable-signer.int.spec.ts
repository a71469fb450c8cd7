// Real: Postgres, anvil, the contracts. Broken on purpose: the line between signer and node, the process, the chain.
import { describe, expect, it, jest } from '@jest/globals';
import { eventually } from '@gridbourse/testing';
import { openLease } from '../../test/market.ts';
import { signerWorld } from '../../test/signer-world.ts';
import { encodeCloseLease, encodeSettleBatch } from '../calldata.ts';
import { chainProvider } from '../chain-provider.ts';
import { computeMarket } from '../contracts.ts';
import { chainLeaseKey } from '../lease-key.ts';

jest.setTimeout(60_000);

describe('the durable signer', () => {
  const world = signerWorld();

  it('sends intents in their order and tells each outcome once', async () => {
    const one = world.signer();
    for (let serial = 1n; serial <= 20n; serial += 1n)
      await world.enqueue(one, `open ${serial}`, openLease(serial));
    one.start();
    const all = await world.toldAll(20);
    expect(all.map(({ id }) => id)).toEqual(Array.from({ length: 20 }, (_, i) => `open ${i + 1}`));
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set(['confirmed']));
    expect(world.rpc.rawSent()).toHaveLength(20);
  });

  it('takes the same intent once, and refuses the same id with another content', async () => {
    const one = world.signer();
    one.start();
    await world.enqueue(one, 'open', openLease(1n));
    await world.enqueue(one, 'open', openLease(1n));
    await expect(world.enqueue(one, 'open', openLease(2n))).rejects.toMatchObject({ code: 'intent_reused' });
    await world.toldAll(1);
    await world.enqueue(one, 'open', openLease(1n));
    await world.enqueue(one, 'next', openLease(3n));
    expect((await world.toldAll(2)).map(({ id }) => id)).toEqual(['open', 'next']);
  });

  it('refuses what would revert without spending a nonce, and says why', async () => {
    const one = world.signer();
    const nonce = await world.nonceOnChain();
    await world.enqueue(one, 'too much', openLease(1n, 3_600_000));
    one.start();
    expect(await world.toldAll(1)).toEqual([
      { id: 'too much', status: 'rejected', code: 'InsufficientFree' },
    ]);
    expect(await world.nonceOnChain()).toBe(nonce);
  });

  it('does not refuse what only depends on an intent before it', async () => {
    const one = world.signer();
    await world.enqueue(one, 'open', openLease(1n));
    await world.enqueue(one, 'close', encodeCloseLease(chainLeaseKey(1, 1n), 0n));
    one.start();
    expect((await world.toldAll(2)).map(({ status }) => status)).toEqual(['confirmed', 'confirmed']);
  });

  it('tells a revert in the block, with the reason', async () => {
    const one = world.signer();
    // The escrow holds one of the two; sent together, each passes alone.
    await world.enqueue(one, 'first', openLease(1n, 600_000));
    await world.enqueue(one, 'second', openLease(2n, 600_000));
    one.start();
    expect(await world.toldAll(2)).toEqual([
      { id: 'first', status: 'confirmed', code: null },
      { id: 'second', status: 'reverted', code: 'InsufficientFree' },
    ]);
  });

  it('lets one process work and the other stand by until the first is gone', async () => {
    const first = world.signer();
    first.start();
    await world.enqueue(first, 'a', openLease(1n));
    await world.toldAll(1);
    const second = world.signer();
    second.start();
    await eventually(() => second.status().state === 'standby');
    await world.enqueue(second, 'b', openLease(2n));
    await world.toldAll(2);
    await first.stop();
    await world.enqueue(second, 'c', openLease(3n));
    expect((await world.toldAll(3)).map(({ id }) => id)).toEqual(['a', 'b', 'c']);
  });

  it('settles in one batch as often as it is asked, and pays once', async () => {
    const one = world.signer();
    one.start();
    await world.enqueue(one, 'open', openLease(1n));
    await world.toldAll(1);
    await world.node().send('evm_increaseTime', [100]);
    const row = { leaseKey: chainLeaseKey(1, 1n), cumulativeMicros: 50_000n };
    await world.enqueue(one, 'settle', encodeSettleBatch([row, row]));
    await world.enqueue(one, 'settle again', encodeSettleBatch([row]));
    await world.toldAll(3);
    const provider = chainProvider(world.anvil.rpcUrl, world.deployment.chainId);
    const { earned } = await computeMarket(world.deployment.contracts.ComputeMarket, provider).earningsOf(1);
    provider.destroy();
    expect(earned).toBe(50_000n);
  });
});
