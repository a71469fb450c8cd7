import type { Random } from '@gridbourse/kernel';

const FIRST_MS = 200;

/** Waits that double up to a limit, each with full jitter, so that many agents do not come back at one moment. */
export class Backoff {
  private failures = 0;
  private readonly random: Random;
  private readonly maxMs: number;

  constructor(random: Random, maxMs: number) {
    this.random = random;
    this.maxMs = maxMs;
  }

  nextMs(): number {
    const limit = Math.min(FIRST_MS * 2 ** Math.min(this.failures, 30), this.maxMs);
    this.failures += 1;
    return limit / 4 + this.random.next() * limit * 0.75;
  }

  reset(): void {
    this.failures = 0;
  }
}
