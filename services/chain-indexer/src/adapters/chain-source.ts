import {
  decodeContractLog,
  type Deployment,
  quantity,
  type Rpc,
  type RpcCall,
  RpcError,
  unwrap,
} from '@gridbourse/chain';
import { z } from 'zod';
import {
  type BlockRef,
  CONTRACTS,
  type FoundLog,
  type Header,
  type Heads,
  type Segment,
} from '../domain/block.ts';
import { expectConsistent, suspects, untrustworthy } from '../domain/trust.ts';
import { LogFilter } from './log-filter.ts';
import { type RawLog, rawHeader, rawLog, rawReceipt, read } from './node-answers.ts';

export type Identity = { readonly chainId: number; readonly genesisHash: string };

/** What a node says of the chain, checked: either it all fits together, or it is an error. */
export class ChainSource {
  private readonly rpc: Rpc;
  private readonly deployment: Deployment;
  private readonly addresses: readonly string[];
  private readonly filter: LogFilter;

  constructor(rpc: Rpc, deployment: Deployment) {
    this.rpc = rpc;
    this.deployment = deployment;
    this.addresses = CONTRACTS.map((contract) => deployment.contracts[contract]);
    this.filter = new LogFilter(this.addresses);
  }

  async identity(): Promise<Identity> {
    const [chainId, genesis] = await this.all([['eth_chainId', []], headerCall(quantity(0))]);
    const block = this.header(genesis);
    if (!block) throw untrustworthy('there is no block 0');
    return { chainId: Number(chainId), genesisHash: block.hash };
  }

  async heads(): Promise<Heads> {
    const [latest, safe, finalized] = await this.rpc.batch(['latest', 'safe', 'finalized'].map(headerCall));
    const head = this.header(unwrap(latest));
    if (!head) throw untrustworthy('there is no latest block');
    // Some nodes know no such tags, or have no such block yet.
    const mark = (answer: unknown): BlockRef | null =>
      answer instanceof RpcError ? null : this.header(answer);
    return { latest: head, safe: mark(safe), finalized: mark(finalized) };
  }

  /** Null where the node has no block of that number. */
  async headers(numbers: readonly number[]): Promise<(Header | null)[]> {
    const answers = await this.all(numbers.map((number) => headerCall(quantity(number))));
    return answers.map((answer) => this.header(answer));
  }

  /**
   * All blocks of the range with all logs of our contracts.
   * @throws DomainError `untrustworthy_answer`, `undecodable_log`, `rpc_unavailable`; RpcError, for one when the range
   *   is more than the node gives at once
   */
  async segment(from: number, to: number): Promise<Segment> {
    const numbers = Array.from({ length: to - from + 1 }, (_, index) => from + index);
    const [logs, ...headers] = await this.all([
      ['eth_getLogs', [{ fromBlock: quantity(from), toBlock: quantity(to), address: this.addresses }]],
      ...numbers.map((number) => headerCall(quantity(number))),
    ]);
    const segment: Segment = {
      headers: headers.map((answer) => this.header(answer)).filter((header) => header !== null),
      logs: this.logs(logs),
    };
    expectConsistent(from, to, segment);
    for (const header of suspects(segment)) await this.expectNoLogs(header);
    return segment;
  }

  /** The filter affirms logs of ours and none came: the receipts decide. */
  private async expectNoLogs(header: Header): Promise<void> {
    if (header.transactions.length === 0)
      throw untrustworthy(`block ${header.number} has a filter and no transactions`);
    const calls = header.transactions.map((hash): RpcCall => ['eth_getTransactionReceipt', [hash]]);
    const receipts = (await this.all(calls)).map((answer) => read('a receipt', rawReceipt, answer));
    if (receipts.some((receipt) => receipt.blockHash !== header.hash)) {
      throw untrustworthy(`receipts of block ${header.number} are of another block`);
    }
    if (receipts.some(({ logs }) => logs.some((log) => this.addresses.includes(log.address)))) {
      throw untrustworthy(`logs of block ${header.number} were kept back`);
    }
  }

  private async all(calls: readonly RpcCall[]): Promise<unknown[]> {
    return (await this.rpc.batch(calls)).map(unwrap);
  }

  private header(answer: unknown): Header | null {
    if (answer === null || answer === undefined) return null;
    const raw = read('a block', rawHeader, answer);
    return {
      number: raw.number,
      hash: raw.hash,
      parentHash: raw.parentHash,
      timeMs: raw.timestamp * 1_000,
      transactions: raw.transactions,
      mayHoldLogs: this.filter.mayHold(raw.logsBloom),
    };
  }

  private logs(answer: unknown): FoundLog[] {
    return read('a list of logs', z.array(rawLog), answer)
      .map((raw) => this.found(raw))
      .sort((a, b) => a.blockNumber - b.blockNumber || a.logIndex - b.logIndex);
  }

  private found(raw: RawLog): FoundLog {
    if (raw.removed) throw untrustworthy('a log of the present chain is marked as removed');
    if (!this.addresses.includes(raw.address)) throw untrustworthy('a log of another contract came');
    return {
      blockNumber: raw.blockNumber,
      blockHash: raw.blockHash,
      logIndex: raw.logIndex,
      txHash: raw.transactionHash,
      meaning: decodeContractLog(this.deployment, raw),
    };
  }
}

const headerCall = (tag: string): RpcCall => ['eth_getBlockByNumber', [tag, false]];
