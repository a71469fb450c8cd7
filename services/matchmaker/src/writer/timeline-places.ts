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
  /** The first place of the epoch: a number, which is quicker, where a number tells all of the epoch exactly. */
  private readonly first: bigint | number;
  private taken = 0;

  constructor(epoch: bigint) {
    const first = epoch << EPOCH_BITS;
    const last = first + (1n << EPOCH_BITS);
    this.first = last <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(first) : first;
  }

  take(emitted: number): Places {
    const cause = this.placeOf(this.taken);
    const places: string[] = [];
    for (let index = 1; index <= emitted; index += 1) places.push(this.placeOf(this.taken + index));
    this.taken += emitted + 1;
    return { cause, emitted: places };
  }

  private placeOf(nth: number): string {
    const { first } = this;
    return typeof first === 'number' ? String(first + nth) : (first + BigInt(nth)).toString();
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
