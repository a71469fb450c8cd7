import type { Log } from './log.ts';

const LOOK_EVERY_MS = 500;

/** A process of ours outside this one. */
export type Supervised = { name: string; alive(): boolean; restart(): Promise<unknown> };

/** Looks after the processes under us: one that died is started again with what it had stored. */
export const superviseProcesses = (
  processes: readonly Supervised[],
  logger: Log,
): { stop(): Promise<void> } => {
  let stopped = false;
  let turn: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;

  const look = async (): Promise<void> => {
    for (const supervised of processes) {
      if (stopped || supervised.alive()) continue;
      logger.warn({ process: supervised.name }, 'a process of the platform has died; starting it again');
      try {
        await supervised.restart();
        logger.info({ process: supervised.name }, 'started again');
      } catch (error) {
        logger.error({ err: error, process: supervised.name }, 'it does not start');
      }
    }
  };
  const schedule = (): void => {
    timer = setTimeout(() => {
      turn = look().finally(() => {
        if (!stopped) schedule();
      });
    }, LOOK_EVERY_MS);
  };
  schedule();
  return {
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      await turn;
    },
  };
};
