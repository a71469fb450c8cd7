import { eventBusBenchmark } from './event-bus/event-bus.bench.ts';
import { eventStoreBenchmark } from './event-store/event-store.bench.ts';
import type { Benchmark } from './frame/benchmark.ts';
import { gasBenchmark } from './gas/gas.bench.ts';
import { matchingBenchmark } from './matching/matching.bench.ts';
import { placementBenchmark } from './placement/placement.bench.ts';

/** All benchmarks of the project, as `npm run bench -- list` shows them. */
export const benchmarks: readonly Benchmark[] = [
  eventBusBenchmark,
  eventStoreBenchmark,
  gasBenchmark,
  matchingBenchmark,
  placementBenchmark,
];
