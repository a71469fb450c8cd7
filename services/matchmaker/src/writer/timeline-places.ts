import { currentCausation } from '@gridbourse/event-bus';
import type { Append } from '@gridbourse/event-store';
import type { MatchmakerEvent, Outcome } from '../domain/process/unit-of-work.ts';

/** Items that one writer may place: beyond them its numbers would run into those of the next epoch. */
const EPOCH_BITS = 40n;

/** Where what a decision says goes in the timeline, as decimal numbers. */
export type Places = {
  /** Of the foreign event that caused it: before everything that follows from it. */
  readonly cause: string;
  /** Of each event, in the order in which they were emitted. */
  readonly emitted: readonly string[];
};

/** Hands out places that grow with every decision, over restarts and take-overs of the writer too. */
export class TimelinePlaces {
  private next: bigint;

  constructor(epoch: bigint) {
    this.next = epoch << EPOCH_BITS;
  }

  take(emitted: number): Places {
    const cause = this.next;
    this.next += BigInt(emitted) + 1n;
    return {
      cause: cause.toString(),
      emitted: Array.from({ length: emitted }, (_, index) => (cause + 1n + BigInt(index)).toString()),
    };
  }
}

/** Stored in the metadata of an append: its events are numbered from `firstVersion`. */
export type TimelineMetadata = {
  readonly atMs: number;
  readonly firstVersion: number;
  readonly places: readonly string[];
};

/** The appends of a decision, each remembering where its events stand in the timeline. */
export const placedAppends = (
  { appends }: Outcome,
  { emitted }: Places,
  atMs: number,
): Append<MatchmakerEvent>[] => {
  const causation = currentCausation();
  return appends.map(({ streamId, expectedVersion, events, places }) => {
    const timeline: TimelineMetadata = {
      atMs,
      firstVersion: expectedVersion + 1,
      places: places.map((place) => emitted[place]!),
    };
    return { streamId, expectedVersion, events, metadata: { ...causation, timeline } };
  });
};
