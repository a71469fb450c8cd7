/** Waits so many milliseconds. Rejects with the signal's reason when that comes first. */
export const pause = (ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal!.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });

const FIRST_MS = 50;
const LONGEST_MS = 1_000;

/** The pause before try number `attempt` (from 1): doubling from 50 ms to 1 s, each a random share from half to whole. */
export const backoffMs = (attempt: number, chance: number): number =>
  Math.min(FIRST_MS * 2 ** Math.min(attempt - 1, 10), LONGEST_MS) * (0.5 + chance / 2);
