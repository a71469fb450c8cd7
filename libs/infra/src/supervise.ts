import type { Log } from './log.ts';

const LOOK_EVERY_MS = 500;

/** A process of ours outside this one. */
export type Supervised = { name: string; alive(): boolean; restart(): Promise<unknown> };

/**
 * Looks after the processes under us: one that died is started again with what it had stored. Each is started on its own:
 * one that cannot come up before another is there does not keep that other from being started.
 *
 * @param processes may be added to later
 */
export const superviseProcesses = (
  processes: readonly Supervised[],
  logger: Log,
): { stop(): Promise<void> } => {
  let stopped = false;
  const restarts = new Map<Supervised, Promise<void>>();

  const restart = async (supervised: Supervised): Promise<void> => {
    logger.warn({ process: supervised.name }, 'a process of the platform has died; starting it again');
    try {
      await supervised.restart();
      logger.info({ process: supervised.name }, 'started again');
    } catch (error) {
      logger.error({ err: error, process: supervised.name }, 'it does not start');
    }
  };
  const look = (): void => {
    for (const supervised of processes) {
      if (stopped || restarts.has(supervised) || supervised.alive()) continue;
      const run = restart(supervised).finally(() => restarts.delete(supervised));
      restarts.set(supervised, run);
    }
  };
  const timer = setInterval(look, LOOK_EVERY_MS);
  return {
    /** Starts nothing more, and waits for what is being started. */
    stop: async () => {
      stopped = true;
      clearInterval(timer);
      await Promise.all(restarts.values());
    },
  };
};
