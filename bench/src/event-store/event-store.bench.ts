import { z } from 'zod';
import { defineBenchmark } from '../frame/benchmark.ts';
import { startPostgres } from '../frame/postgres.ts';
import { median, percentile, rounded } from '../frame/statistics.ts';
import { openStore } from './fixture.ts';
import { batchedAppends, groupCommit, readAll, replayAll, singleAppends } from './ours.ts';
import { multiRow, prepareEqualTable, rowByRow } from './peers.ts';

const count = (most: number): z.ZodInt => z.int().min(1).max(most);

/** Appends, reads and replays of the event store on a durable Postgres, against bare INSERTs into an equal table. */
export const eventStoreBenchmark = defineBenchmark({
  name: 'event-store',
  summary:
    'events/s appended singly, in batches and by group commit, read and replayed, against bare INSERTs',
  options: z.object({
    singles: count(1_000_000).default(1_000).describe('appends of one event, one transaction each'),
    events: count(10_000_000).default(60_000).describe('events in each of the other runs'),
    batch: count(10_000).default(500).describe('events in one batched append'),
    commands: count(10_000_000).default(60_000).describe('commands for the group commit writer'),
    eventsPerCommand: count(100).default(1).describe('events that a command decides'),
    streams: count(1_000_000).default(2_000).describe('streams that the commands write to'),
    concurrency: count(10_000).default(2_000).describe('callers that wait for their command at a time'),
    maxBatch: z
      .int()
      .min(0)
      .max(10_000)
      .default(0)
      .describe("commands in one transaction; 0: the writer's own"),
    page: count(10_000).default(1_000).describe('events in one read'),
    rounds: count(21).default(3).describe('runs of each measurement, of which the median counts'),
  }),
  run: async (options, context) => {
    const postgres = await startPostgres(context);
    const measured: Record<string, number[]> = {};
    const note = (name: string, value: number): void => {
      (measured[name] ??= []).push(value);
      context.progress(`${name} ${value}`);
    };
    for (let round = 1; round <= options.rounds; round += 1) {
      context.progress(`round ${round} of ${options.rounds}`);
      const url = await postgres.createDatabase(`round_${round}`);
      const opened = await openStore(url);
      await prepareEqualTable(url);
      // Warm both sides up: code, plans, connections.
      await groupCommit(opened, {
        prefix: 'warm-up',
        commands: 5_000,
        eventsPerCommand: 1,
        streams: 100,
        concurrency: 500,
        maxBatch: null,
      });
      const group = await groupCommit(opened, {
        prefix: 'group',
        commands: options.commands,
        eventsPerCommand: options.eventsPerCommand,
        streams: options.streams,
        concurrency: options.concurrency,
        maxBatch: options.maxBatch === 0 ? null : options.maxBatch,
      });
      note('groupCommitEventsPerSecond', group.eventsPerSecond);
      note('groupCommitCommitsPerSecond', group.commitsPerSecond);
      note('groupCommitEventsPerCommit', group.eventsPerCommit);
      note('groupCommitReplyMsP50', rounded(percentile(group.latenciesMs, 0.5)));
      note('groupCommitReplyMsP99', rounded(percentile(group.latenciesMs, 0.99)));
      note(
        'multiRowInsertEventsPerSecond',
        await multiRow(url, { events: options.events, batch: group.eventsPerCommit }),
      );
      note('batchedEventsPerSecond', await batchedAppends(opened, options));
      note('singleAppendsPerSecond', await singleAppends(opened, options.singles));
      note('rowByRowInsertsPerSecond', await rowByRow(url, options.singles));
      note('readEventsPerSecond', await readAll(opened, options.page));
      note('replayEventsPerSecond', await replayAll(opened));
      await opened.dataSource.destroy();
    }
    const of = (name: string): number => median(measured[name]!);
    const peerNames = ['multiRowInsertEventsPerSecond', 'rowByRowInsertsPerSecond'];
    const pick = (names: readonly string[]): Record<string, number> =>
      Object.fromEntries(names.map((name) => [name, of(name)]));
    return {
      figures: pick(Object.keys(measured).filter((name) => !peerNames.includes(name))),
      peers: pick(peerNames),
      ratios: {
        groupCommitToMultiRowInsert: rounded(
          of('groupCommitEventsPerSecond') / of('multiRowInsertEventsPerSecond'),
        ),
        groupCommitToRowByRowInsert: rounded(
          of('groupCommitEventsPerSecond') / of('rowByRowInsertsPerSecond'),
        ),
        batchedToMultiRowInsert: rounded(of('batchedEventsPerSecond') / of('multiRowInsertEventsPerSecond')),
        singleToRowByRowInsert: rounded(of('singleAppendsPerSecond') / of('rowByRowInsertsPerSecond')),
      },
    };
  },
});
