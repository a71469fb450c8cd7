import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { keccak256, Wallet } from 'ethers';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DataDir, openDataDir } from '../data-dir.ts';
import { silentLog } from '../log.ts';
import { freePort } from '../ports.ts';
import { until } from '../processes.ts';
import { devKey } from './dev-keys.ts';
import { TransactionJournal } from './journal.ts';
import { LOCAL_CHAIN_ID, LocalChain } from './local-chain.ts';
import { rpcCall } from './rpc.ts';

// Real here: anvil, its process, the files.

describe('the local chain', () => {
  let dir: DataDir;
  let chain: LocalChain;
  const wallet = new Wallet(devKey(7).privateKey);

  beforeEach(async () => {
    dir = openDataDir(mkdtempSync(join(tmpdir(), 'gridbourse-chain-')), 'test');
    chain = await LocalChain.start(dir, silentLog, await freePort());
  });
  afterEach(async () => {
    await chain.stop();
    rmSync(dir.path, { recursive: true, force: true });
  });

  const signed = (nonce: number): Promise<string> =>
    wallet.signTransaction({
      to: devKey(8).address,
      value: 1n,
      nonce,
      chainId: LOCAL_CHAIN_ID,
      type: 2,
      gasLimit: 21_000n,
      maxFeePerGas: 10n ** 10n,
      maxPriorityFeePerGas: 1n,
    });
  const send = (raw: string): Promise<string> => rpcCall<string>(chain.url, 'eth_sendRawTransaction', [raw]);
  const receipt = (raw: string): Promise<unknown> =>
    rpcCall(chain.url, 'eth_getTransactionReceipt', [keccak256(raw)]);
  const blockHash = async (number: string): Promise<string> =>
    (await rpcCall<{ hash: string }>(chain.url, 'eth_getBlockByNumber', [number, false])).hash;
  const killNode = async (): Promise<void> => {
    process.kill(dir.read<{ pid: number }>('chain.json')!.pid, 'SIGKILL');
    expect(await until(() => !chain.alive, 10_000)).toBe(true);
  };

  it('has every acknowledged transaction after its node was killed right behind the last one', async () => {
    const genesis = await blockHash('0x0');
    const sent = [];
    for (let nonce = 0; nonce < 12; nonce += 1) {
      sent.push(await signed(nonce));
      await send(sent[nonce]!);
    }
    await killNode();
    // In a later second: a first block that took its time from the clock would be another one now.
    const { genesisSeconds } = dir.read<{ genesisSeconds: number }>('chain.json')!;
    expect(await until(() => Math.floor(Date.now() / 1_000) > genesisSeconds + 1, 10_000)).toBe(true);
    expect(await chain.ensureRunning()).toBe(true);
    for (const raw of sent) {
      expect(await until(async () => (await receipt(raw)) !== null, 10_000)).toBe(true);
      expect(await receipt(raw)).toMatchObject({ status: '0x1' });
    }
    expect(await blockHash('0x0')).toBe(genesis);
    expect(await chain.ensureRunning()).toBe(false);
  });

  it('keeps the node’s admin methods and its own keys from the public', async () => {
    for (const method of ['anvil_setBalance', 'evm_revert', 'hardhat_reset', 'eth_sendTransaction']) {
      await expect(rpcCall(chain.url, method, [])).rejects.toThrow('is not offered here');
    }
    expect(Number(await rpcCall<string>(chain.url, 'eth_chainId'))).toBe(LOCAL_CHAIN_ID);
  });

  it('drops the line of a journal that a crash cut off, and loses none that comes after it', () => {
    const file = dir.file('journal.txt');
    const journal = new TransactionJournal(file);
    journal.append('0xaa');
    journal.close();
    appendFileSync(file, '0xbb');
    const again = new TransactionJournal(file);
    again.append('0xcc');
    expect(again.all()).toEqual(['0xaa', '0xcc']);
    again.close();
  });
});
