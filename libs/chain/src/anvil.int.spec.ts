// Real: anvil, files.
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { eventually } from '@gridbourse/testing';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Anvil, startAnvil } from './anvil.ts';
import { devKey } from './dev-keys.ts';
import { HttpRpc } from './json-rpc.ts';

jest.setTimeout(60_000);

describe('a local chain', () => {
  let running: Anvil[] = [];
  const start = async (...options: Parameters<typeof startAnvil>): Promise<Anvil> => {
    const anvil = await startAnvil(...options);
    running.push(anvil);
    return anvil;
  };
  const mine = async (anvil: Anvil): Promise<number> => {
    const rpc = new HttpRpc(anvil.rpcUrl);
    await rpc.send('anvil_mine', ['0x1']);
    return Number(await rpc.send('eth_blockNumber', []));
  };
  const height = async (anvil: Anvil): Promise<number> =>
    Number(await new HttpRpc(anvil.rpcUrl).send('eth_blockNumber', []));
  const heightIn = (file: string): number =>
    Number(
      (JSON.parse(readFileSync(file, 'utf8')) as { best_block_number: string | number }).best_block_number,
    );
  const stateFileIn = (): string => join(mkdtempSync(join(tmpdir(), 'gridbourse-anvil-')), 'state.json');

  afterEach(async () => {
    await Promise.all(running.map((anvil) => anvil.stop()));
    running = [];
  });

  it('gives its accounts the keys of the dev mnemonic', async () => {
    const anvil = await start({ accounts: 3, chainId: 4_242 });
    const rpc = new HttpRpc(anvil.rpcUrl);
    const accounts = (await rpc.send('eth_accounts', [])) as string[];
    expect(accounts.map((account) => account.toLowerCase())).toEqual(
      [0, 1, 2].map((index) => devKey(index).address),
    );
    expect(Number(await rpc.send('eth_chainId', []))).toBe(4_242);
  });

  it('is as it was after it was stopped', async () => {
    const stateFile = stateFileIn();
    const first = await start({ stateFile });
    const before = await mine(first);
    await first.stop();
    expect(await height(await start({ stateFile }))).toBe(before);
  });

  it('starts from the last whole copy when it was killed while it wrote its state', async () => {
    const stateFile = stateFileIn();
    const first = await start({ stateFile });
    const before = await mine(first);
    const copy = `${stateFile}.copy`;
    await eventually(() => existsSync(copy) && heightIn(copy) === before, { deadlineMs: 10_000 });
    process.kill(first.pid, 'SIGKILL');
    await first.stop();
    const whole = readFileSync(stateFile, 'utf8');
    writeFileSync(stateFile, whole.slice(0, whole.length / 2));
    expect(await height(await start({ stateFile }))).toBe(before);
  }, 30_000);

  it('says so when neither its state nor a copy can be read', async () => {
    const stateFile = stateFileIn();
    writeFileSync(stateFile, '{"block":');
    await expect(start({ stateFile })).rejects.toMatchObject({ code: 'chain_state_unreadable' });
    rmSync(stateFile);
  });

  it('says so when its port is taken', async () => {
    const server = createServer((_, response) => response.end('{}'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    await expect(start({ port })).rejects.toMatchObject({ code: 'chain_not_started' });
    server.close();
  });
});
