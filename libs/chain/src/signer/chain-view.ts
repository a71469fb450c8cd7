import { quantity, type Rpc, type RpcCall, RpcError, unwrap } from '../json-rpc.ts';

export type Receipt = {
  readonly hash: string;
  readonly succeeded: boolean;
  readonly blockNumber: number;
  readonly blockHash: string;
  readonly gasUsed: bigint;
  readonly gasPrice: bigint;
};

type RawReceipt = {
  transactionHash: string;
  status: string;
  blockNumber: string;
  blockHash: string;
  gasUsed: string;
  effectiveGasPrice?: string;
};
type RawBlock = { number: string; hash: string; baseFeePerGas?: string };

const receiptOf = (raw: unknown): Receipt | null => {
  if (raw === null || raw === undefined) return null;
  const receipt = raw as RawReceipt;
  return {
    hash: receipt.transactionHash.toLowerCase(),
    succeeded: Number(receipt.status) === 1,
    blockNumber: Number(receipt.blockNumber),
    blockHash: receipt.blockHash.toLowerCase(),
    gasUsed: BigInt(receipt.gasUsed),
    gasPrice: BigInt(receipt.effectiveGasPrice ?? '0x0'),
  };
};

export type Sight = {
  /** How many transactions of the key are in blocks. */
  readonly nonce: number;
  readonly baseFee: bigint;
  readonly receipts: ReadonlyMap<string, Receipt>;
};

/** One look at the chain, in one request. The nonce is read first: a nonce seen as used has its receipt, if it is ours. */
export const look = async (rpc: Rpc, address: string, hashes: readonly string[]): Promise<Sight> => {
  const calls: RpcCall[] = [
    ['eth_getTransactionCount', [address, 'latest']],
    ['eth_getBlockByNumber', ['latest', false]],
    ...hashes.map((hash): RpcCall => ['eth_getTransactionReceipt', [hash]]),
  ];
  const [nonce, block, ...receipts] = (await rpc.batch(calls)).map(unwrap);
  const found = receipts.map(receiptOf).filter((receipt) => receipt !== null);
  return {
    nonce: Number(nonce),
    baseFee: BigInt((block as RawBlock).baseFeePerGas ?? '0x0'),
    receipts: new Map(found.map((receipt) => [receipt.hash, receipt])),
  };
};

export const receiptsOf = async (rpc: Rpc, hashes: readonly string[]): Promise<Map<string, Receipt>> => {
  if (hashes.length === 0) return new Map();
  const answers = await rpc.batch(hashes.map((hash): RpcCall => ['eth_getTransactionReceipt', [hash]]));
  const found = answers.map(unwrap).map(receiptOf);
  return new Map(found.filter((receipt) => receipt !== null).map((receipt) => [receipt.hash, receipt]));
};

/** The height below which nothing changes any more; -1 where the node does not say. */
export const finalizedHeight = async (rpc: Rpc): Promise<number> => {
  const [block] = await rpc.batch([['eth_getBlockByNumber', ['finalized', false]]]);
  return block instanceof RpcError || block === null || block === undefined
    ? -1
    : Number((block as RawBlock).number);
};

export type Identity = { readonly chainId: number; readonly genesisHash: string };

export const identityOf = async (rpc: Rpc): Promise<Identity> => {
  const [chainId, genesis] = (
    await rpc.batch([
      ['eth_chainId', []],
      ['eth_getBlockByNumber', [quantity(0), false]],
    ])
  ).map(unwrap);
  return { chainId: Number(chainId), genesisHash: (genesis as RawBlock).hash.toLowerCase() };
};

export type Call = { readonly from: string; readonly to: string; readonly data: string };

/** Gas of each call on the latest state, or the error of the node. */
export const estimates = async (rpc: Rpc, calls: readonly Call[]): Promise<(bigint | RpcError)[]> => {
  const answers = await rpc.batch(calls.map((call): RpcCall => ['eth_estimateGas', [call]]));
  return answers.map((answer) => (answer instanceof RpcError ? answer : BigInt(answer as string)));
};

/** Whether the node knows any of these transactions, in a block or waiting. */
export const anyKnown = async (rpc: Rpc, hashes: readonly string[]): Promise<boolean> => {
  const answers = await rpc.batch(hashes.map((hash): RpcCall => ['eth_getTransactionByHash', [hash]]));
  return answers.map(unwrap).some((answer) => answer !== null);
};
