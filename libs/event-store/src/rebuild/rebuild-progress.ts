import { DomainError } from '@gridbourse/kernel';
import type { EntityManager } from 'typeorm';
import { type Cursor, START } from '../cursor.ts';

export type Progress = {
  readonly name: string;
  readonly projectionVersion: number;
  /** Of the tables when the shadow was made. */
  readonly shape: string;
  readonly place: Cursor;
  /** Events projected so far. */
  readonly events: number;
  readonly startedAtMs: number;
};

export type LastRebuild = {
  readonly events: number;
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
};

type Row = {
  projection_version: number;
  shape: string;
  tx: string;
  position: string;
  events: string;
  started_at_ms: string;
};

const FIND = `
  SELECT projection_version, shape, tx::text AS tx, position, events,
         floor(extract(epoch FROM started_at) * 1000) AS started_at_ms
  FROM read_model_rebuilds WHERE name = $1`;
const FIND_LAST = `
  SELECT events, floor(extract(epoch FROM started_at) * 1000) AS started_at_ms,
         floor(extract(epoch FROM finished_at) * 1000) AS finished_at_ms
  FROM read_model_rebuilds_done WHERE name = $1`;
const BEGIN = `
  INSERT INTO read_model_rebuilds (name, projection_version, shape, tx, position) VALUES ($1, $2, $3, $4::xid8, $5)`;
// RETURNING through a CTE: TypeORM answers a bare UPDATE in another form than a SELECT.
const ADVANCE = `
  WITH advanced AS (
    UPDATE read_model_rebuilds SET tx = $4::xid8, position = $5, events = events + $6
    WHERE name = $1 AND tx = $2::xid8 AND position = $3
    RETURNING name
  ) SELECT name FROM advanced`;
const DROP = `DELETE FROM read_model_rebuilds WHERE name = $1`;
const FINISH = `
  WITH ended AS (DELETE FROM read_model_rebuilds WHERE name = $1 RETURNING started_at)
  INSERT INTO read_model_rebuilds_done (name, events, started_at) SELECT $1, $2, started_at FROM ended
  ON CONFLICT (name) DO UPDATE
    SET events = excluded.events, started_at = excluded.started_at, finished_at = now()`;

export const findProgress = async (manager: EntityManager, name: string): Promise<Progress | null> => {
  const [row] = await manager.query<Row[]>(FIND, [name]);
  if (!row) return null;
  const { projection_version: projectionVersion, shape, tx, position, events } = row;
  return {
    ...{ name, projectionVersion, shape, place: { tx, position } },
    events: Number(events),
    startedAtMs: Number(row.started_at_ms),
  };
};

export const beginProgress = async (
  manager: EntityManager,
  { name, projectionVersion, shape }: Pick<Progress, 'name' | 'projectionVersion' | 'shape'>,
): Promise<Progress> => {
  await manager.query(BEGIN, [name, projectionVersion, shape, START.tx, START.position]);
  return (await findProgress(manager, name))!;
};

/** @throws DomainError conflict `rebuild_moved`: the rebuild is in other hands or has been aborted */
export const advanceProgress = async (
  manager: EntityManager,
  progress: Progress,
  to: Cursor,
  events: number,
): Promise<Progress> => {
  const { name, place } = progress;
  const rows = await manager.query<unknown[]>(ADVANCE, [
    name,
    place.tx,
    place.position,
    to.tx,
    to.position,
    events,
  ]);
  if (rows.length === 0) {
    throw new DomainError('conflict', 'rebuild_moved', `the rebuild of ${name} is in other hands`);
  }
  return { ...progress, place: to, events: progress.events + events };
};

export const findLast = async (manager: EntityManager, name: string): Promise<LastRebuild | null> => {
  const [row] = await manager.query<{ events: string; started_at_ms: string; finished_at_ms: string }[]>(
    FIND_LAST,
    [name],
  );
  if (!row) return null;
  return {
    events: Number(row.events),
    startedAtMs: Number(row.started_at_ms),
    finishedAtMs: Number(row.finished_at_ms),
  };
};

/** Nothing is left of the rebuild. */
export const dropProgress = async (manager: EntityManager, name: string): Promise<void> => {
  await manager.query(DROP, [name]);
};

/** The rebuild has ended well, and is remembered until the next one. */
export const finishProgress = async (manager: EntityManager, name: string, events: number): Promise<void> => {
  await manager.query(FINISH, [name, events]);
};
