import type { DataSource, QueryRunner } from 'typeorm';

type OnCommit = (commit: () => Promise<void>, runner: QueryRunner) => Promise<void>;

/** The data source, but that its transactions are committed as `onCommit` says. */
export const withCommits = (dataSource: DataSource, onCommit: OnCommit): DataSource =>
  new Proxy(dataSource, {
    get: (target, property) => {
      if (property !== 'createQueryRunner') {
        const value: unknown = Reflect.get(target, property);
        return typeof value === 'function' ? value.bind(target) : value;
      }
      return () => {
        const runner = target.createQueryRunner();
        const commit = runner.commitTransaction.bind(runner);
        runner.commitTransaction = () => onCommit(commit, runner);
        return runner;
      };
    },
  });

export const connectionLost = (): Error =>
  Object.assign(new Error('Connection terminated unexpectedly'), { code: 'ECONNRESET' });

/** The first commit counts, but the connection breaks before its answer is there. */
export const losingTheFirstAnswer = (dataSource: DataSource): DataSource => {
  let lost = false;
  return withCommits(dataSource, async (commit) => {
    await commit();
    if (lost) return;
    lost = true;
    throw connectionLost();
  });
};

/** A database that stays away until it is told to be back. */
export const awayDatabase = (
  dataSource: DataSource,
): { readonly dataSource: DataSource; readonly isAway: () => boolean; readonly comeBack: () => void } => {
  let away = true;
  return {
    dataSource: withCommits(dataSource, (commit) =>
      away ? Promise.reject(new Error('disk full')) : commit(),
    ),
    isAway: () => away,
    comeBack: () => (away = false),
  };
};
