import { rpcCall } from '@gridbourse/infra';

type Block = { transactions: { from: string; to: string | null; input: string; hash: string }[] };

/** Every transaction of an account (lower case) that a small local chain has mined, in order, and whether it came off. */
export const transactionsOf = async (rpcUrl: string, account: string) => {
  const height = Number(await rpcCall<string>(rpcUrl, 'eth_blockNumber'));
  const sent: { to: string | null; data: string; succeeded: boolean }[] = [];
  for (let number = 0; number <= height; number += 1) {
    const block = await rpcCall<Block>(rpcUrl, 'eth_getBlockByNumber', [`0x${number.toString(16)}`, true]);
    for (const { from, to, input, hash } of block.transactions) {
      if (from !== account) continue;
      const { status } = await rpcCall<{ status: string }>(rpcUrl, 'eth_getTransactionReceipt', [hash]);
      sent.push({ to, data: input, succeeded: status === '0x1' });
    }
  }
  return sent;
};
