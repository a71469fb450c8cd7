import type { BenchmarkContext } from '../frame/benchmark.ts';
import { median, rounded } from '../frame/statistics.ts';
import { durable, type DurableFigures } from './durable.ts';

export type DurableOptions = {
  readonly providers: number;
  readonly durable: number;
  readonly durableRounds: number;
  readonly concurrency: number;
};

type Figures = Readonly<Record<string, number>>;

/** A round, on a database and a service of its own that are gone behind it. */
const round = async (context: BenchmarkContext, options: DurableOptions): Promise<DurableFigures> => {
  const steps: (() => void | Promise<void>)[] = [];
  const cleanUp = async (): Promise<void> => {
    for (let step = steps.pop(); step; step = steps.pop()) await step();
  };
  // A signal may come in the middle.
  context.defer(cleanUp);
  try {
    return await durable(
      { ...context, defer: (step) => void steps.push(step) },
      { providers: options.providers, orders: options.durable, concurrency: options.concurrency },
    );
  } finally {
    await cleanUp();
  }
};

/**
 * Durable orders in rounds that start alike: machines are faster in some minutes than in others, so the round in the middle
 * counts, and the slowest and the fastest are told beside it.
 */
export const durableRounds = async (
  context: BenchmarkContext,
  options: DurableOptions,
): Promise<{ figures: Figures; peers: Figures; ratios: Figures }> => {
  const rounds: DurableFigures[] = [];
  for (let number = 1; number <= options.durableRounds; number += 1) {
    const one = await round(context, options);
    rounds.push(one);
    context.progress(
      `durable: ${one.matchedPerSecond} matched/s; bare INSERTs of the same rows ${one.barePerSecond}/s (round ${number})`,
    );
  }
  const middle = median(rounds.map(({ matchedPerSecond }) => matchedPerSecond));
  const typical = rounds.find(({ matchedPerSecond }) => matchedPerSecond === middle)!;
  const ordered = rounds.map(({ matchedPerSecond }) => matchedPerSecond).sort((a, b) => a - b);
  return {
    figures: {
      durableMatchedPerSecond: typical.matchedPerSecond,
      durableMatchedPerSecondSlowestRound: ordered[0]!,
      durableMatchedPerSecondFastestRound: ordered.at(-1)!,
      durableReplyMsP50: typical.replyMsP50,
      durableReplyMsP99: typical.replyMsP99,
      durableNodeCpuMsPerOrder: typical.nodeCpuMs,
      restoredOrdersPerSecond: typical.restoredPerSecond,
      durableOutboxLagEvents: typical.outboxLagEvents,
      ...(typical.postgresCpuMs === null ? {} : { durablePostgresCpuMsPerOrder: typical.postgresCpuMs }),
    },
    peers: { bareInsertsOfTheSameRowsPerSecond: median(rounds.map(({ barePerSecond }) => barePerSecond)) },
    ratios: {
      durableToBareInserts: rounded(
        median(rounds.map(({ matchedPerSecond, barePerSecond }) => matchedPerSecond / barePerSecond)),
      ),
    },
  };
};
