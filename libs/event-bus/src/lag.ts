import type { PartitionLag } from './port.ts';

/** Never below zero: the two ends are not read in one moment. */
export const lagOf = (topic: string, partition: number, committed: number, end: number): PartitionLag => ({
  topic,
  partition,
  committed,
  end,
  lag: Math.max(0, end - committed),
});
