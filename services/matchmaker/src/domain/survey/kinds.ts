/** Things that are alike in all that some checks look at, numbered and counted; one of them stands for all of its kind. */
export class Kinds<T> {
  private readonly numbers = new Map<string, number>();
  private readonly keys: string[] = [];
  private readonly samples: T[] = [];
  private readonly counts: number[] = [];
  private readonly unused: number[] = [];

  /** @returns the number of its kind, for `remove` */
  add(key: string, sample: T): number {
    const known = this.numbers.get(key);
    if (known !== undefined) {
      this.counts[known]! += 1;
      return known;
    }
    const number = this.unused.pop() ?? this.keys.length;
    this.numbers.set(key, number);
    this.keys[number] = key;
    this.samples[number] = sample;
    this.counts[number] = 1;
    return number;
  }

  remove(number: number): void {
    this.counts[number]! -= 1;
    if (this.counts[number]! > 0) return;
    this.numbers.delete(this.keys[number]!);
    this.unused.push(number);
  }

  /** What is found out about each kind, by its number; 0 for numbers that nothing has now. */
  each(find: (sample: T) => number): Int32Array {
    const found = new Int32Array(this.keys.length);
    for (const number of this.numbers.values()) found[number] = find(this.samples[number]!);
    return found;
  }

  /** One of each kind that there is now. */
  *[Symbol.iterator](): IterableIterator<T> {
    for (const number of this.numbers.values()) yield this.samples[number]!;
  }
}
