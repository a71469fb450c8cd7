/**
 * How far the records of a partition are settled. Records are taken in the order of their offsets, which may have gaps,
 * and settled in any order.
 */
export class Watermark {
  private readonly taken: number[] = [];
  private head = 0;
  private readonly settled = new Set<number>();
  private next: number;

  /** @param first the offset from which nothing has been taken yet */
  constructor(first: number) {
    this.next = first;
  }

  /** The first offset that has not been taken. */
  get nextOffset(): number {
    return this.next;
  }

  /** The first offset that is not settled: what a successor has to start from. */
  get committable(): number {
    return this.taken[this.head] ?? this.next;
  }

  /** Records that have been taken and not settled. */
  get open(): number {
    return this.taken.length - this.head - this.settled.size;
  }

  /** Records that are remembered: those that are open, and those settled behind the first open one. */
  get span(): number {
    return this.taken.length - this.head;
  }

  take(offset: number): void {
    if (offset < this.next) throw new Error(`offset ${offset} has been taken: the next one is ${this.next}`);
    this.taken.push(offset);
    this.next = offset + 1;
  }

  settle(offset: number): void {
    this.settled.add(offset);
    while (this.head < this.taken.length && this.settled.delete(this.taken[this.head]!)) this.head += 1;
    // Cut off what is behind now and then: copying costs as much as what was settled meanwhile.
    if (this.head > 1_024 && this.head * 2 > this.taken.length) {
      this.taken.splice(0, this.head);
      this.head = 0;
    }
  }
}
