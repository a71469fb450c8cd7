import type { RpcError } from '../json-rpc.ts';
import { classifyEstimateError } from './send-errors.ts';

/**
 * Intents that the chain would not carry out now, but perhaps later. An intent that would revert is refused only when
 * everything that was given a nonce before it has been mined: it may depend on that.
 */
export class WaitingRoom {
  /** By intent: the last nonce it waits for (null: it waits for none), and a time on the monotonic clock. */
  private readonly held = new Map<string, { barrier: number | null; until: number }>();

  get size(): number {
    return this.held.size;
  }

  /** Those that it makes no sense to try now. */
  waiting(lowestOpen: number, now: number): string[] {
    return [...this.held]
      .filter(([, { barrier, until }]) => now < until || (barrier !== null && lowestOpen <= barrier))
      .map(([id]) => id);
  }

  /** @returns what to do with an intent whose estimate failed: refuse it for this reason, or keep it waiting */
  judge(
    id: string,
    error: RpcError,
    lowestOpen: number,
    highestGiven: number,
  ): 'reverts' | 'malformed' | 'unclear' | 'wait' {
    const meaning = classifyEstimateError(error);
    if (meaning !== 'reverts') return meaning;
    const barrier = this.held.get(id)?.barrier ?? highestGiven;
    if (lowestOpen > barrier) return 'reverts';
    this.held.set(id, { barrier, until: 0 });
    return 'wait';
  }

  later(id: string, until: number): void {
    this.held.set(id, { barrier: this.held.get(id)?.barrier ?? null, until });
  }

  leave(id: string): void {
    this.held.delete(id);
  }
}
