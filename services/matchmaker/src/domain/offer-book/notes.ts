/**
 * A number for each node, noted by one search after the other in the same place, each under its own number. What another
 * search has overwritten reads as never noted.
 */
export class Notes {
  private stamps = new Int32Array(0);
  private values = new Int32Array(0);
  private searches = 0;

  /** @returns the number of a new search; starts over with the first after two thousand million */
  newSearch(): number {
    if (this.searches === 2 ** 31 - 1) {
      this.searches = 0;
      this.stamps.fill(0);
    }
    this.searches += 1;
    return this.searches;
  }

  /** What the search has noted of the node; -1 for nothing. */
  read(search: number, node: number): number {
    return this.stamps[node] === search ? this.values[node]! : -1;
  }

  /** @param value not below 0 */
  write(search: number, node: number, value: number): void {
    if (node >= this.stamps.length) this.makeRoom(node + 1);
    this.stamps[node] = search;
    this.values[node] = value;
  }

  private makeRoom(nodes: number): void {
    const length = Math.max(nodes, 2 * this.stamps.length);
    const [stamps, values] = [new Int32Array(length), new Int32Array(length)];
    stamps.set(this.stamps);
    values.set(this.values);
    [this.stamps, this.values] = [stamps, values];
  }
}
