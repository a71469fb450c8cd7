import { type GroupCommitOptions, GroupCommitWriter } from '../src/index.ts';
import type { Shop, ShopEvent } from './shop.ts';

/** What writers decide by in tests: how many items each basket has, held in memory beside the shop's store. */
export class CountedBaskets {
  private counts = new Map<string, number>();
  /** How often memory was rebuilt from what is stored. */
  reloads = 0;
  private readonly shop: Shop;

  constructor(shop: Shop) {
    this.shop = shop;
  }

  /** The counts by stream. */
  get all(): ReadonlyMap<string, number> {
    return this.counts;
  }

  count(streamId: string): number {
    return this.counts.get(streamId) ?? 0;
  }

  addTo(streamId: string): void {
    this.counts.set(streamId, this.count(streamId) + 1);
  }

  readonly reload = async (): Promise<void> => {
    this.reloads += 1;
    const rebuilt = new Map<string, number>();
    await this.shop.store.replay(this.shop.dataSource.manager, {}, ({ streamId, version }) =>
      rebuilt.set(streamId, version),
    );
    this.counts = rebuilt;
  };

  /** How many items are stored. */
  async stored(streamId: string): Promise<number> {
    return (await this.shop.store.load(this.shop.dataSource.manager, streamId)).version;
  }

  writer(options: Partial<GroupCommitOptions<ShopEvent>> = {}): GroupCommitWriter<ShopEvent> {
    const { dataSource, store } = this.shop;
    return new GroupCommitWriter({ dataSource, store, onReload: this.reload, ...options });
  }
}
