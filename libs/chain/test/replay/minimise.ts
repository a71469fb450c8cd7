import { type Operation } from '../../src/model/model.ts';
import { type Difference } from './compare.ts';
import { playTapes } from './player.ts';

/** The sequence without some of its calls; their time passes all the same. */
const without = (operations: readonly Operation[], from: number, count: number): Operation[] => {
  const passed = operations
    .slice(from, from + count)
    .reduce((sum, { afterSeconds }) => sum + afterSeconds, 0n);
  return operations.flatMap((operation, index) => {
    if (index >= from && index < from + count) return [];
    return [
      index === from + count ? { ...operation, afterSeconds: operation.afterSeconds + passed } : operation,
    ];
  });
};

const candidates = (operations: readonly Operation[]): Operation[][] => {
  const found: Operation[][] = [];
  for (let size = Math.ceil(operations.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < operations.length; from += size) {
      const shorter = without(operations, from, size);
      if (shorter.length > 0) found.push(shorter);
    }
  }
  return found;
};

export type Smallest = { readonly operations: readonly Operation[]; readonly difference: Difference };

/** Leaves out what the difference does not need: all ways to shorten are tried in one run, the shortest that still parts wins. */
export const minimise = async (
  operations: readonly Operation[],
  difference: Difference,
): Promise<Smallest> => {
  let smallest: Smallest = { operations: operations.slice(0, difference.call + 1), difference };
  for (;;) {
    const shorter = candidates(smallest.operations);
    if (shorter.length === 0) return smallest;
    const verdicts = await playTapes(shorter.map((candidate) => [candidate]));
    const parting = shorter
      .map((candidate, index): Smallest | null => {
        const found = verdicts[index]!.difference;
        return found && { operations: candidate, difference: found };
      })
      .filter((found) => found !== null)
      .sort((a, b) => a.operations.length - b.operations.length);
    if (parting.length === 0) return smallest;
    smallest = parting[0]!;
  }
};
