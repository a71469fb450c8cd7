/** A promise that is kept after so many milliseconds. Not exported: tests wait for conditions, never for time. */
const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });

/**
 * Waits until `check` neither throws nor gives `false` or `null`: an `expect` in it that throws means "not yet". A check
 * that returns nothing passes by not throwing.
 *
 * @returns what the check gave at last
 * @throws Error after `deadlineMs` (default 15 000), with the last failure as its cause
 */
export const eventually = async <T>(
  check: () => T | Promise<T>,
  { deadlineMs = 15_000, everyMs = 10 }: { deadlineMs?: number; everyMs?: number } = {},
): Promise<Exclude<T, false | null>> => {
  const until = performance.now() + deadlineMs;
  for (;;) {
    let failure: unknown;
    try {
      const value = await check();
      if (value !== false && value !== null) return value as Exclude<T, false | null>;
      failure = new Error(`the condition is still ${String(value)}`);
    } catch (error) {
      failure = error;
    }
    if (performance.now() >= until) {
      const reason = failure instanceof Error ? failure.message : String(failure);
      throw new Error(`not within ${deadlineMs} ms: ${reason}`, { cause: failure });
    }
    await pause(everyMs);
  }
};
