import { GroupCommitWriter, START } from '@gridbourse/event-store';
import { perSecond, timed } from '../frame/statistics.ts';
import { type BenchStore, postingOf } from './fixture.ts';

/** One event, one transaction, one after the other. */
export const singleAppends = async ({ dataSource, store }: BenchStore, count: number): Promise<number> => {
  const { ms } = await timed(async () => {
    for (let n = 0; n < count; n += 1) {
      await dataSource.transaction((manager) =>
        store.append(manager, [
          { streamId: `account/single-${n}`, expectedVersion: 0, events: [postingOf(n)] },
        ]),
      );
    }
  });
  return perSecond(count, ms);
};

/** Many events of one stream in each call, one call after the other. */
export const batchedAppends = async (
  { dataSource, store }: BenchStore,
  { events, batch }: { events: number; batch: number },
): Promise<number> => {
  const { ms } = await timed(async () => {
    for (let from = 0; from < events; from += batch) {
      const size = Math.min(batch, events - from);
      await dataSource.transaction((manager) =>
        store.append(manager, [
          {
            streamId: 'account/batched-1',
            expectedVersion: from,
            events: Array.from({ length: size }, (_, i) => postingOf(from + i)),
          },
        ]),
      );
    }
  });
  return perSecond(events, ms);
};

export type GroupCommitLoad = {
  /** Begins the names of the streams, which must be new. */
  readonly prefix: string;
  readonly commands: number;
  readonly eventsPerCommand: number;
  readonly streams: number;
  readonly concurrency: number;
  readonly maxBatch: number | null;
};

export type GroupCommitFigures = {
  readonly eventsPerSecond: number;
  readonly commitsPerSecond: number;
  readonly latenciesMs: readonly number[];
  readonly eventsPerCommit: number;
};

/** So many callers, each with one command under way at a time: the next is given when the last one is durable. */
export const groupCommit = async (
  { dataSource, store }: BenchStore,
  load: GroupCommitLoad,
): Promise<GroupCommitFigures> => {
  const versions = new Map<string, number>();
  let commits = 0;
  const writer = new GroupCommitWriter({
    dataSource,
    store,
    ...(load.maxBatch === null ? {} : { maxBatch: load.maxBatch }),
    onReload: () => Promise.reject(new Error('nothing fails here, so nothing is reloaded')),
    afterCommit: () => void (commits += 1),
  });
  const latenciesMs: number[] = [];
  let next = 0;
  const caller = async (): Promise<void> => {
    while (next < load.commands) {
      const n = (next += 1);
      const start = performance.now();
      await writer.execute(() => {
        const streamId = `account/${load.prefix}-${n % load.streams}`;
        const expectedVersion = versions.get(streamId) ?? 0;
        versions.set(streamId, expectedVersion + load.eventsPerCommand);
        const events = Array.from({ length: load.eventsPerCommand }, (_, i) => postingOf(n + i));
        return { appends: [{ streamId, expectedVersion, events }], result: n };
      });
      latenciesMs.push(performance.now() - start);
    }
  };
  const { ms } = await timed(() =>
    Promise.all(Array.from({ length: Math.min(load.concurrency, load.commands) }, caller)),
  );
  await writer.stop();
  const events = load.commands * load.eventsPerCommand;
  return {
    eventsPerSecond: perSecond(events, ms),
    commitsPerSecond: perSecond(commits, ms),
    eventsPerCommit: Math.round(events / commits),
    latenciesMs,
  };
};

/** The commit-safe reader, page by page, from the first event to the last. */
export const readAll = async ({ dataSource, store }: BenchStore, page: number): Promise<number> => {
  let count = 0;
  const { ms } = await timed(async () => {
    for (let after = START; ;) {
      const events = await store.read(dataSource.manager, { after, limit: page });
      count += events.length;
      const last = events.at(-1);
      if (!last || events.length < page) return;
      after = { tx: last.tx, position: last.position };
    }
  });
  return perSecond(count, ms);
};

/** What a single writer does at its start. */
export const replayAll = async ({ dataSource, store }: BenchStore): Promise<number> => {
  let count = 0;
  const { ms } = await timed(() => store.replay(dataSource.manager, {}, () => void (count += 1)));
  return perSecond(count, ms);
};
