// Real: anvil.
import { afterEach, describe, expect, it } from '@jest/globals';
import { createServer } from 'node:http';
import { isAlive } from '../processes.ts';
import { type Anvil, startAnvil } from './anvil.ts';
import { devKey } from './dev-keys.ts';
import { rpcCall } from './rpc.ts';

describe('a chain in memory', () => {
  let running: Anvil[] = [];
  const start = async (...options: Parameters<typeof startAnvil>): Promise<Anvil> => {
    const anvil = await startAnvil(...options);
    running.push(anvil);
    return anvil;
  };

  afterEach(async () => {
    await Promise.all(running.map((anvil) => anvil.stop()));
    running = [];
  });

  it('gives its accounts the keys of the dev mnemonic', async () => {
    const anvil = await start({ accounts: 3, chainId: 4_242 });
    const accounts = await rpcCall<string[]>(anvil.rpcUrl, 'eth_accounts');
    expect(accounts.map((account) => account.toLowerCase())).toEqual(
      [0, 1, 2].map((index) => devKey(index).address),
    );
    expect(Number(await rpcCall(anvil.rpcUrl, 'eth_chainId'))).toBe(4_242);
  });

  it('is gone when it was stopped, and may be stopped again', async () => {
    const anvil = await start();
    await anvil.stop();
    expect(isAlive(anvil.pid)).toBe(false);
    await anvil.stop();
  });

  it('says so when its port is taken', async () => {
    const server = createServer((_, response) => response.end('{}'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    await expect(start({ port })).rejects.toMatchObject({ code: 'chain_not_started' });
    server.close();
  });

  it('says so when another chain answers there', async () => {
    const { port } = await start();
    await expect(start({ port, chainId: 4_242 })).rejects.toMatchObject({ code: 'chain_not_started' });
  });
});
