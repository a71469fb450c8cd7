/** How often a record is tried, and how long the pauses are. */
export type RetryBudget = {
  readonly attempts: number;
  readonly firstDelayMs: number;
  readonly factor: number;
  readonly maxDelayMs: number;
};

/** 8 tries within about 32 s: 80 ms, 200 ms, 0.5 s, 1.25 s, 3.1 s, 7.8 s, 19.5 s. */
export const defaultRetryBudget: RetryBudget = {
  attempts: 8,
  firstDelayMs: 80,
  factor: 2.5,
  maxDelayMs: 20_000,
};

/** The pause after the attempt with this number (1 = the first), in milliseconds. */
export const delayAfter = (budget: RetryBudget, attempt: number): number =>
  Math.min(budget.maxDelayMs, Math.round(budget.firstDelayMs * budget.factor ** (attempt - 1)));

/** Resolves after the time, or at once when aborted. Never rejects. */
export const pause = (milliseconds: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener('abort', done, { once: true });
  });
