import { nextInt, type Random } from '@gridbourse/kernel';

/** Chance, in the forms that drawing calls needs. */
export class Dice {
  constructor(private readonly random: Random) {}

  /** In [0, bound). */
  below(bound: number): number {
    return nextInt(this.random, bound);
  }

  /** True in so many of a hundred. */
  percent(share: number): boolean {
    return this.below(100) < share;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  /** By weight. */
  weighted<T>(choices: readonly (readonly [weight: number, item: T])[]): T {
    let left = this.below(choices.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, item] of choices) {
      if (left < weight) return item;
      left -= weight;
    }
    return choices.at(-1)![1];
  }

  /** In [0, bound], about evenly. */
  upTo(bound: bigint): bigint {
    return (bound * BigInt(this.below(1_000_001))) / 1_000_000n;
  }

  /** A bound that the contract checks, or one beside it; never below zero. */
  about(bound: bigint): bigint {
    const value = bound + BigInt(this.pick([0, 0, 0, 1, -1]));
    return value < 0n ? 0n : value;
  }
}
