import type { JsonSchema } from '../wire-schema.ts';
import { type Misread, misreads } from './misreads.ts';

/**
 * Who is left behind by a change of a schema that keeps its version number:
 * - `old consumer`: a service that has not been upgraded yet, given what a new producer writes
 * - `new consumer`: an upgraded service, given what was stored or published before
 */
export type LeftBehind = 'old consumer' | 'new consumer';

export type Incompatibility = {
  readonly who: LeftBehind;
  /** JSON pointer into the event's data; `*` stands for every item of a list and every key of a record. */
  readonly path: string;
  readonly keyword: string;
  /** What the old schema says there. */
  readonly had: string;
  /** What the new schema says there. */
  readonly has: string;
};

/**
 * What breaks when a schema is changed and keeps its version: both directions count, because old and new run side by
 * side during an upgrade, and because events are kept for good. None is left behind when the answer is empty.
 */
export const incompatibilities = (before: JsonSchema, after: JsonSchema): Incompatibility[] => [
  ...misreads(after, before).map((misread) => leftBehind('old consumer', misread)),
  ...misreads(before, after).map((misread) => leftBehind('new consumer', misread)),
];

const leftBehind = (who: LeftBehind, { path, keyword, written, read }: Misread): Incompatibility =>
  who === 'old consumer'
    ? { who, path, keyword, had: read, has: written }
    : { who, path, keyword, had: written, has: read };
