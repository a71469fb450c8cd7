// Real: Postgres, anvil, the contracts. Broken on purpose: the node's answers, the chain.
import { type RpcCall, RpcError } from '@gridbourse/chain';
import { startAnvil } from '@gridbourse/infra';
import { eventually } from '@gridbourse/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Actor } from '../../../test/chain.ts';
import { catchUp, FollowedChain } from '../../../test/followed-chain.ts';

jest.setTimeout(60_000);

describe('a node that cannot be believed', () => {
  let chain: FollowedChain;
  let actor: Actor;

  beforeAll(async () => {
    chain = await FollowedChain.start();
    ({ actor } = chain);
  });
  beforeEach(() => chain.begin());
  afterEach(() => chain.end());
  afterAll(() => chain.stop());

  it('halts on a reorganisation below finality, says so once, and does not go on', async () => {
    const one = chain.follower();
    const earlier = await actor.rpc.send('evm_snapshot', []);
    await actor.deposit(1n);
    await actor.mine(40);
    await catchUp(one);
    await actor.rpc.send('evm_revert', [earlier]);
    await actor.mine(60);
    await actor.deposit(2n);
    for (let i = 0; i < 3; i += 1) expect(await one.step()).toBe(false);
    expect(one.status().halted?.reason).toMatch(/below finality/);
    expect((await chain.heard()).filter((event) => event === 'ChainHalted')).toHaveLength(1);
    expect(await chain.heard('ProviderRegistry')).toContain('ChainHalted');
    expect(await chain.heard()).not.toContain('Observed Deposited 2');
    const again = chain.follower();
    await again.step();
    expect(again.status().halted?.reason).toMatch(/below finality/);
    expect((await chain.heard()).filter((event) => event === 'ChainHalted')).toHaveLength(1);
  });

  it('halts on a chain that it does not know, and goes on when the known one is back', async () => {
    const one = chain.follower({ haltGraceMs: 1_000 });
    await catchUp(one);
    const other = await startAnvil();
    try {
      chain.rpc.cut();
      await expect(one.step()).rejects.toMatchObject({ code: 'rpc_unavailable' });
      chain.rpc.mend();
      chain.rpc.moveTo(other.rpcUrl);
      await one.step();
      expect(one.status().halted).toBeNull();
      chain.clock.shiftMs = 1_001;
      await one.step();
      expect(one.status().halted?.reason).toMatch(/began with/);
      expect((await chain.heard()).at(-1)).toBe('ChainHalted');
      chain.rpc.moveTo(chain.anvil.rpcUrl);
      await actor.deposit(7n);
      await catchUp(one);
      expect(one.status().halted).toBeNull();
      expect((await chain.heard()).at(-1)).toBe('Observed Deposited 7');
    } finally {
      await other.stop();
    }
  });

  it('does not believe a node that keeps logs back', async () => {
    const one = chain.follower({ haltGraceMs: 60_000 });
    await catchUp(one);
    await actor.deposit(1n);
    await actor.deposit(2n);
    chain.rpc.tamper = ([method]: RpcCall, answer) =>
      method === 'eth_getLogs' && Array.isArray(answer) ? answer.slice(1) : answer;
    await expect(one.step()).rejects.toMatchObject({ code: 'untrustworthy_answer' });
    expect((await chain.heard()).at(-1)).toBe('Observed Deposited 1000000000');
    chain.rpc.mend();
    await catchUp(one);
    expect(await chain.standing()).toEqual(await chain.onChain());
  });

  it('does not believe logs of another block, nor an answer of another shape', async () => {
    const one = chain.follower({ haltGraceMs: 60_000 });
    await catchUp(one);
    await actor.deposit(1n);
    for (const change of [
      { blockHash: `0x${'1'.repeat(64)}` },
      { transactionHash: `0x${'2'.repeat(64)}` },
      { data: 5 },
    ]) {
      chain.rpc.tamper = ([method]: RpcCall, answer) =>
        method === 'eth_getLogs' ? (answer as object[]).map((log) => ({ ...log, ...change })) : answer;
      await expect(one.step()).rejects.toMatchObject({ code: 'untrustworthy_answer' });
    }
    chain.rpc.tamper = ([method]: RpcCall, answer) => (method === 'eth_getLogs' ? null : answer);
    await expect(one.step()).rejects.toMatchObject({ code: 'untrustworthy_answer' });
    chain.rpc.mend();
    await catchUp(one);
    expect(await chain.standing()).toEqual(await chain.onChain());
  });

  it('asks for less where the node cannot give as much', async () => {
    await actor.mine(50);
    await actor.deposit(1n);
    chain.rpc.tamper = ([method, params]: RpcCall, answer) => {
      const [range] = params as [{ fromBlock: string; toBlock: string }];
      if (method !== 'eth_getLogs' || Number(range.toBlock) - Number(range.fromBlock) < 10) return answer;
      throw new RpcError(method, { code: -32_005, message: 'query exceeds max block range 10' });
    };
    const one = chain.follower();
    await eventually(async () => {
      await catchUp(one);
      return one.status().position!.indexed.number === (await actor.height());
    });
    expect(await chain.standing()).toEqual(await chain.onChain());
  });
});
