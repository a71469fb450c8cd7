/** Versions of one collection grow; comparing them as numbers tells which of two copies is newer. */
const versionOf = (text: string): bigint => (/^\d{1,20}$/.test(text) ? BigInt(text) : 0n);

type Entry<T> = { readonly item: T; readonly version: bigint };

/**
 * The last known copy of each object, fed by a watch and by lists that may overlap: an older copy never replaces a newer
 * one, and a list does not remove what appeared after it was made.
 */
export class ObjectCache<T> {
  private readonly entries = new Map<string, Entry<T>>();
  /** Of the last list; what a watch deleted before must not come back with a slower, older list. */
  private readonly deleted = new Map<string, bigint>();

  values(): IterableIterator<Entry<T>> {
    return this.entries.values();
  }

  get(key: string): T | undefined {
    return this.entries.get(key)?.item;
  }

  /** @returns whether this is news */
  put(key: string, item: T, version: string): boolean {
    const known = this.entries.get(key);
    const next = versionOf(version);
    if (known && known.version >= next) return false;
    const buried = this.deleted.get(key);
    if (buried !== undefined && buried >= next) return false;
    this.entries.set(key, { item, version: next });
    return true;
  }

  remove(key: string, version: string): boolean {
    this.deleted.set(key, versionOf(version));
    return this.entries.delete(key);
  }

  /**
   * @param how `anew`: no watch runs meanwhile, so a list that is older than what is known means that the collection itself
   *   began anew (a cluster restored or made again); `beside`: it may just have been overtaken by the watch
   * @returns the items that are new, changed or gone
   */
  replace(
    items: readonly { key: string; item: T; version: string }[],
    listVersion: string,
    how: 'anew' | 'beside',
  ): T[] {
    const changed: T[] = [];
    const listed = new Set<string>();
    if (how === 'anew' && this.isOlder(listVersion)) {
      for (const { item } of this.entries.values()) changed.push(item);
      this.entries.clear();
      this.deleted.clear();
    }
    for (const { key, item, version } of items) {
      listed.add(key);
      if (this.put(key, item, version)) changed.push(item);
    }
    const asOf = versionOf(listVersion);
    for (const [key, entry] of this.entries) {
      if (listed.has(key) || entry.version > asOf) continue;
      this.entries.delete(key);
      changed.push(entry.item);
    }
    for (const [key, version] of this.deleted) if (version <= asOf) this.deleted.delete(key);
    return changed;
  }

  private isOlder(listVersion: string): boolean {
    const asOf = versionOf(listVersion);
    for (const { version } of this.entries.values()) if (version > asOf) return true;
    for (const version of this.deleted.values()) if (version > asOf) return true;
    return false;
  }
}
