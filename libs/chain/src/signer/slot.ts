import type { Revert } from '../reverts.ts';
import type { MinedIn, QueuedIntent, StoredAttempt, StoredNonce, Told } from './signer-store.ts';

/** A nonce that is given out and not final, as the holder of the key sees it. */
export type Slot = {
  readonly nonce: number;
  /** Null: the nonce is only used up. */
  readonly intent: QueuedIntent | null;
  told: Told;
  poison: Revert | null;
  mined: MinedIn | null;
  preferredHash: string | null;
  readonly attempts: StoredAttempt[];
  /** By our clock; null: not known to have been sent by this process. */
  firstSentAtMs: number | null;
  /** The node has said that it has these bytes. */
  delivered: boolean;
  /** By the process's monotonic clock, as the three below. */
  sentAt: number;
  refusals: number;
  usedSince: number | null;
  retryAt: number;
};

export const slotOf = (stored: StoredNonce): Slot => ({
  nonce: stored.nonce,
  intent: stored.intent,
  told: stored.told,
  poison: stored.poison,
  mined: stored.mined,
  preferredHash: stored.preferredHash,
  attempts: [...stored.attempts],
  firstSentAtMs: null,
  delivered: false,
  sentAt: Number.NEGATIVE_INFINITY,
  refusals: 0,
  usedSince: null,
  retryAt: 0,
});

export const newSlot = (nonce: number, intent: QueuedIntent | null, attempt: StoredAttempt): Slot =>
  slotOf({
    nonce,
    intent,
    told: null,
    poison: null,
    state: 'open',
    mined: null,
    preferredHash: null,
    attempts: [attempt],
  });

/** The bytes to send: those that a block once held, else the latest. */
export const bytesOf = (slot: Slot): StoredAttempt =>
  slot.attempts.find((attempt) => attempt.hash === slot.preferredHash) ?? slot.attempts.at(-1)!;
