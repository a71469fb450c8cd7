// Real: Postgres, anvil, the contracts. Broken on purpose: the line between signer and node, the process, the chain.
import { describe, expect, it, jest } from '@jest/globals';
import { startAnvil } from '@gridbourse/infra';
import { nextInt, seededRandom } from '@gridbourse/kernel';
import { eventually } from '@gridbourse/testing';
import { openLease } from '../../test/market.ts';
import { signerWorld } from '../../test/signer-world.ts';
import { withdrawAll } from '../../test/withdraw-all.ts';
import { rpcUnavailable } from '../json-rpc.ts';

jest.setTimeout(60_000);

describe('the durable signer on a chain that loses blocks', () => {
  const world = signerWorld();

  it('sends the same bytes again when the chain has lost its last blocks', async () => {
    const one = world.signer();
    one.start();
    await world.enqueue(one, 'before', openLease(1n));
    await world.toldAll(1);
    const earlier = await world.node().send('evm_snapshot', []);
    await world.enqueue(one, 'a', openLease(2n));
    await world.enqueue(one, 'b', openLease(3n));
    await world.toldAll(3);
    await world.node().send('evm_revert', [earlier]);
    await eventually(async () => expect(await world.openedLeases([1n, 2n, 3n])).toEqual([true, true, true]), {
      deadlineMs: 10_000,
    });
    await eventually(() => one.status().inFlight === 0);
    const sent = world.rpc.rawSent();
    expect(new Set(sent).size).toBe(3);
    expect(await world.told()).toHaveLength(3);
  });

  it('tells a changed outcome when a replay of lost blocks ends otherwise', async () => {
    const one = world.signer();
    one.start();
    await world.enqueue(one, 'first', openLease(1n, 300_000));
    await world.toldAll(1);
    const earlier = await world.node().send('evm_snapshot', []);
    await world.enqueue(one, 'second', openLease(2n, 300_000));
    await world.toldAll(2);
    // In the history that replaces it, the tenant has withdrawn what the second lease was to lock.
    await one.stop();
    await world.node().send('evm_revert', [earlier]);
    await withdrawAll(world.anvil.rpcUrl, world.deployment);
    world.signer().start();
    expect((await world.toldAll(3)).at(-1)).toEqual({
      id: 'second',
      status: 'reverted',
      code: 'InsufficientFree',
    });
  });

  it('sends nothing to a chain that it does not know', async () => {
    const one = world.signer();
    one.start();
    await world.enqueue(one, 'a', openLease(1n));
    await world.toldAll(1);
    const other = await startAnvil();
    try {
      world.rpc.cut();
      await eventually(() => one.status().state === 'failing');
      world.rpc.mend(other.rpcUrl);
      const sent = world.rpc.rawSent().length;
      await world.enqueue(one, 'b', openLease(2n));
      await eventually(() => one.status().state === 'halted');
      expect(world.rpc.rawSent()).toHaveLength(sent);
      world.rpc.cut();
      world.rpc.mend(world.anvil.rpcUrl);
      expect((await world.toldAll(2))[1]).toEqual({ id: 'b', status: 'confirmed', code: null });
    } finally {
      await other.stop();
    }
  });

  it.each([1, 2, 3])(
    'carries out each intent once through lost answers, crashes and lost blocks (seed %i)',
    async (seed) => {
      const random = seededRandom(seed);
      let one = world.signer();
      one.start();
      world.rpc.after = (method) => {
        if (method === 'eth_sendRawTransaction' && nextInt(random, 4) === 0)
          throw rpcUnavailable(method, new Error('lost'));
      };
      world.rpc.before = (method) => {
        if (nextInt(random, 25) === 0) throw rpcUnavailable(method, new Error('lost'));
      };
      const serials: bigint[] = [];
      let earlier = await world.node().send('evm_snapshot', []);
      for (let turn = 0; turn < 40; turn += 1) {
        const what = nextInt(random, 10);
        if (what < 6) {
          const serial = BigInt(serials.length + 1);
          serials.push(serial);
          await world.enqueue(one, `open ${serial}`, openLease(serial));
        } else if (what === 6) {
          await one.stop();
          one = world.signer();
          one.start();
        } else if (what === 7) {
          await world.node().send('evm_revert', [earlier]);
          earlier = await world.node().send('evm_snapshot', []);
        } else if (what === 8) {
          earlier = await world.node().send('evm_snapshot', []);
        } else {
          const some = nextInt(random, serials.length + 1);
          await eventually(async () => (await world.told()).length >= some, { deadlineMs: 30_000 });
        }
      }
      world.rpc.mend();
      const wanted = serials.map((serial) => `open ${serial}`);
      await eventually(
        async () => expect(new Set((await world.told()).map(({ id }) => id))).toEqual(new Set(wanted)),
        {
          deadlineMs: 30_000,
        },
      );
      await eventually(
        async () => expect(await world.openedLeases(serials)).toEqual(serials.map(() => true)),
        {
          deadlineMs: 30_000,
        },
      );
      expect((await world.told()).filter(({ status }) => status !== 'confirmed')).toEqual([]);
      const [{ intents, nonces }] = await world.dataSource.query<[{ intents: number; nonces: number }]>(
        `SELECT (SELECT count(*)::int FROM signer_intents) AS intents,
              (SELECT count(*)::int FROM signer_nonces WHERE intent_id IS NOT NULL) AS nonces`,
      );
      expect({ seed, intents, nonces }).toEqual({ seed, intents: serials.length, nonces: serials.length });
    },
  );

  // The last: what it leaves on the chain stays.
  it('comes through a chain that is killed and starts again from an older state', async () => {
    const one = world.signer();
    one.start();
    await world.enqueue(one, 'a', openLease(1n));
    await world.toldAll(1);
    const older = await world.node().send('anvil_dumpState', []);
    for (let serial = 2n; serial <= 6n; serial += 1n)
      await world.enqueue(one, `open ${serial}`, openLease(serial));
    await world.toldAll(6);
    process.kill(world.anvil.pid, 'SIGKILL');
    await world.anvil.stop();
    await world.enqueue(one, 'while away', openLease(7n));
    await eventually(() => one.status().state === 'failing');
    // Before it has its state back, the node would take the signer's bytes for a chain without the contracts.
    world.rpc.cut();
    const { port } = world.anvil;
    world.anvil = await startAnvil({ port, genesisSeconds: world.genesisSeconds });
    await world.node().send('anvil_loadState', [older]);
    world.rpc.mend();
    await world.keepChain();
    expect((await world.toldAll(7)).at(-1)).toEqual({ id: 'while away', status: 'confirmed', code: null });
    await eventually(async () =>
      expect(await world.openedLeases([1n, 2n, 3n, 4n, 5n, 6n, 7n])).toEqual(Array(7).fill(true)),
    );
    expect(await world.told()).toHaveLength(7);
  });
});
