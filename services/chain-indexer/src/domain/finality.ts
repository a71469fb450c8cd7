import type { Instant } from '@gridbourse/kernel';
import type { BlockRef, IndexedBlock } from './block.ts';

/**
 * The highest block that counts as irreversible: final for the chain, taken in, and seen by us long enough ago. The last
 * keeps us from calling final what a chain of one node may still lose when it is restarted.
 * @param blocks those that are not final yet, by number
 * @param limit highest number of blocks to make final at once
 * @returns the last final block again where nothing new is
 */
export const newFinal = (
  final: BlockRef,
  finalized: BlockRef | null,
  blocks: ReadonlyMap<number, IndexedBlock>,
  options: { now: Instant; minAgeMs: number; limit: number },
): BlockRef => {
  if (!finalized) return final;
  const highest = Math.min(finalized.number, final.number + options.limit);
  for (let number = highest; number > final.number; number -= 1) {
    const block = blocks.get(number);
    if (block && options.now - block.seenAtMs >= options.minAgeMs) return { number, hash: block.hash };
  }
  return final;
};
