const MAX_PREFERRED_WAIT_SECONDS = 60;

/** RFC 7240: `Prefer: wait=30`. Preferences that are not understood are ignored. */
export const preferredWaitMs = (prefer: string | undefined): number => {
  const seconds = /(?:^|[,;\s])wait=(\d{1,5})(?:$|[,;\s])/.exec(prefer ?? '')?.[1];
  return Math.min(Number(seconds ?? 0), MAX_PREFERRED_WAIT_SECONDS) * 1_000;
};
