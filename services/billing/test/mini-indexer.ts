import { decodeContractLog, type Deployment } from '@gridbourse/chain';
import type { DomainEvent } from '@gridbourse/events';
import type { JsonRpcProvider, Log } from 'ethers';

export type ChainTold = DomainEvent & Record<string, unknown>;

const POLL_MS = 20;

/** Tells what the market's contract logs, and what a test says was taken back. Knows nothing of distrust. */
export class MiniIndexer {
  private nextBlock: number;
  private running: Promise<void> | null = null;
  private stopped = true;
  private readonly told: { blockNumber: number; event: ChainTold }[] = [];

  constructor(
    private readonly provider: JsonRpcProvider,
    private readonly deployment: Deployment,
    private readonly publish: (event: ChainTold, key: string) => Promise<void>,
  ) {
    this.nextBlock = deployment.deployBlock;
  }

  start(): void {
    this.stopped = false;
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.running;
  }

  /** Never tells of what happened while it was stopped: an indexer that loses events. */
  async forgetMissed(): Promise<void> {
    this.nextBlock = (await this.provider.getBlockNumber()) + 1;
  }

  /** Tells that the blocks from a height on are gone, newest log first; the caller sees to it that they are. */
  async retractFrom(blockNumber: number): Promise<void> {
    while (this.told.length > 0 && this.told.at(-1)!.blockNumber >= blockNumber) {
      await this.tell('ChainEventRetracted', this.told.pop()!.event);
    }
    this.nextBlock = Math.min(this.nextBlock, blockNumber);
  }

  async finalizeAll(): Promise<void> {
    for (const { event } of this.told) await this.tell('ChainEventFinalized', event);
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      const head = await this.provider.getBlockNumber();
      if (head >= this.nextBlock) await this.tellUpTo(head);
      else await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  private async tellUpTo(head: number): Promise<void> {
    const address = this.deployment.contracts.ComputeMarket;
    for (const log of await this.provider.getLogs({ fromBlock: this.nextBlock, toBlock: head, address })) {
      const event = await this.eventOf(log);
      if (!event) continue;
      await this.tell('ChainEventObserved', event);
      this.told.push({ blockNumber: log.blockNumber, event });
    }
    this.nextBlock = head + 1;
  }

  private async eventOf(log: Log): Promise<ChainTold | null> {
    const decoded = decodeContractLog(this.deployment, log);
    if (!decoded) return null;
    const block = await this.provider.getBlock(log.blockNumber);
    return {
      type: 'ChainEventObserved',
      contract: decoded.contract,
      chainId: this.deployment.chainId,
      blockNumber: log.blockNumber,
      blockHash: log.blockHash,
      logIndex: log.index,
      txHash: log.transactionHash,
      blockTimeMs: block!.timestamp * 1_000,
      seenAtMs: Date.now(),
      log: decoded.log,
    };
  }

  private tell(type: string, event: ChainTold): Promise<void> {
    return this.publish({ ...event, type }, 'ComputeMarket');
  }
}
