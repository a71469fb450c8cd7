import { DomainError } from '@gridbourse/kernel';
import { HttpRpc, quantity } from '@gridbourse/chain';
import { devKey, startAnvil, until } from '@gridbourse/infra';
import { dataLength, Wallet } from 'ethers';
import type { BenchmarkContext } from '../frame/benchmark.ts';
import { compressedBytes } from './arbitrum.ts';

/** What one transaction costs. */
export type Cost = {
  readonly gas: number;
  readonly calldataBytes: number;
  /** of the whole signed transaction, compressed as Arbitrum does it */
  readonly l1Bytes: number;
};

export type Sent = Cost & { readonly logs: readonly { readonly data: string }[] };

type Receipt = {
  readonly status: string;
  readonly gasUsed: string;
  readonly contractAddress: string | null;
  readonly logs: Sent['logs'];
};

export type Call = { readonly from: string; readonly to: string; readonly data: string };

const GAS_LIMIT = 29_000_000;
const BLOCK_DEADLINE_MS = 10_000;
const TEN_ETH = 10n ** 19n;
const ARBITRUM_ONE = 42_161;
/** As large as fields of a transaction on Arbitrum are. */
const TYPICAL = {
  type: 2,
  chainId: ARBITRUM_ONE,
  nonce: 48_211,
  gasLimit: 2_154_321,
  maxFeePerGas: 31_234_567n,
  maxPriorityFeePerGas: 0n,
};

/** A chain in memory whose accounts need no keys, and whose time can be moved. */
export class GasChain {
  private readonly rpc: HttpRpc;
  private readonly known = new Set<string>();
  private readonly wallet = new Wallet(devKey(1).privateKey);

  private constructor(readonly url: string) {
    this.rpc = new HttpRpc(url);
  }

  static async start(context: BenchmarkContext): Promise<GasChain> {
    const anvil = await startAnvil();
    context.defer(() => anvil.stop());
    const chain = new GasChain(anvil.rpcUrl);
    await chain.rpc.send('anvil_autoImpersonateAccount', [true]);
    return chain;
  }

  /**
   * Sends it and waits for its block.
   * @throws DomainError `refused` when the transaction fails: nothing that fails is measured
   */
  async send({ from, to, data }: Call): Promise<Sent> {
    await this.fund(from);
    const transaction = { from, to, data, gas: quantity(GAS_LIMIT) };
    const receipt = await this.receiptOf(transaction);
    const signed = await this.wallet.signTransaction({ ...TYPICAL, to, data });
    return {
      gas: Number(receipt.gasUsed),
      calldataBytes: dataLength(data),
      l1Bytes: compressedBytes(signed),
      logs: receipt.logs,
    };
  }

  /** Deploys code and says where it is. */
  async create(from: string, code: string): Promise<string> {
    await this.fund(from);
    const transaction = { from, data: code, gas: quantity(GAS_LIMIT) };
    const { contractAddress } = await this.receiptOf(transaction);
    return contractAddress!.toLowerCase();
  }

  async pass(seconds: number): Promise<void> {
    await this.rpc.send('evm_increaseTime', [seconds]);
    await this.rpc.send('evm_mine', []);
  }

  async now(): Promise<number> {
    const block = (await this.rpc.send('eth_getBlockByNumber', ['latest', false])) as { timestamp: string };
    return Number(block.timestamp);
  }

  async call(to: string, data: string): Promise<string> {
    return (await this.rpc.send('eth_call', [{ to, data }, 'latest'])) as string;
  }

  /** Does something and takes it back, so that the next measurement finds the same chain. */
  async undone<T>(work: () => Promise<T>): Promise<T> {
    const snapshot = await this.rpc.send('evm_snapshot', []);
    try {
      return await work();
    } finally {
      await this.rpc.send('evm_revert', [snapshot]);
    }
  }

  private async receiptOf(transaction: Record<string, string>): Promise<Receipt> {
    const hash = await this.rpc.send('eth_sendTransaction', [transaction]);
    let receipt: Receipt | null = null;
    await until(
      async () => {
        receipt = (await this.rpc.send('eth_getTransactionReceipt', [hash])) as Receipt | null;
        return receipt !== null;
      },
      BLOCK_DEADLINE_MS,
      5,
    );
    const mined = receipt as Receipt | null;
    if (mined?.status === '0x1') return mined;
    const what = `${transaction['data']!.slice(0, 10)} to ${transaction['to'] ?? 'a new contract'}`;
    const how = mined ? 'was refused' : 'found no block in time';
    throw new DomainError('internal', 'refused', `${what} ${how}`);
  }

  private async fund(account: string): Promise<void> {
    if (this.known.has(account)) return;
    this.known.add(account);
    await this.rpc.send('anvil_setBalance', [account, quantity(TEN_ETH)]);
  }
}
