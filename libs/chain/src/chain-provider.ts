import { JsonRpcProvider, Network, type Subscriber, type Subscription } from 'ethers';

/**
 * Asks for the receipt of one transaction until there is one. ethers itself asks once, and then again only at a block after
 * the first that it happens to see: where blocks exist only when there are transactions, a transaction that is mined in
 * between is waited for for ever.
 */
class ReceiptSubscriber implements Subscriber {
  private readonly provider: PromptProvider;
  private readonly hash: string;
  private timer: NodeJS.Timeout | null = null;

  constructor(provider: PromptProvider, hash: string) {
    this.provider = provider;
    this.hash = hash;
  }

  start(): void {
    this.timer ??= setTimeout(() => void this.poll(), 0);
  }

  stop(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
  }

  pause(): void {
    this.stop();
  }

  resume(): void {
    this.start();
  }

  private async poll(): Promise<void> {
    const receipt = await this.provider.getTransactionReceipt(this.hash).catch(() => null);
    if (!this.timer) return;
    this.timer = setTimeout(() => void this.poll(), this.provider.pollingInterval);
    if (receipt) await this.provider.emit(this.hash, receipt);
  }
}

class PromptProvider extends JsonRpcProvider {
  override _getSubscriber(subscription: Subscription): Subscriber {
    if (subscription.type === 'transaction') return new ReceiptSubscriber(this, subscription.hash);
    return super._getSubscriber(subscription);
  }
}

/**
 * An ethers provider for one known chain, polling often enough for a local one, whose `wait()` always ends once the
 * transaction is mined. Close it with `destroy()`.
 */
export const chainProvider = (rpcUrl: string, chainId: number): JsonRpcProvider => {
  const network = Network.from(chainId);
  return new PromptProvider(rpcUrl, network, {
    staticNetwork: network,
    pollingInterval: 50,
    batchMaxCount: 1,
    cacheTimeout: -1,
  });
};
