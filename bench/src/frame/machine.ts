import { availableParallelism, cpus, totalmem } from 'node:os';

/** Where and when a figure was measured. */
export type Machine = {
  readonly cores: number;
  readonly cpu: string;
  readonly memoryGiB: number;
  readonly node: string;
  /** ISO 8601, UTC. */
  readonly date: string;
};

export const describeMachine = (now: Date): Machine => ({
  cores: availableParallelism(),
  cpu: cpus()[0]?.model.trim() ?? 'unknown',
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  node: process.version,
  date: now.toISOString(),
});
