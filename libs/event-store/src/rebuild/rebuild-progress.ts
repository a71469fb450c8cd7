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
};

type Row = { projection_version: number; shape: string; tx: string; position: string; events: string };

const FIND = `
  SELECT projection_version, shape, tx::text AS tx, position, events FROM read_model_rebuilds WHERE name = $1`;
const BEGIN = `
  INSERT INTO read_model_rebuilds (name, projection_version, shape, tx, position) VALUES ($1, $2, $3, $4::xid8, $5)`;
// RETURNING through a CTE: TypeORM answers a bare UPDATE in another form than a SELECT.
const ADVANCE = `
  WITH advanced AS (
    UPDATE read_model_rebuilds SET tx = $4::xid8, position = $5, events = events + $6
    WHERE name = $1 AND tx = $2::xid8 AND position = $3
    RETURNING name
  ) SELECT name FROM advanced`;
const END = `DELETE FROM read_model_rebuilds WHERE name = $1`;

export const findProgress = async (manager: EntityManager, name: string): Promise<Progress | null> => {
  const [row] = await manager.query<Row[]>(FIND, [name]);
  if (!row) return null;
  const { projection_version: projectionVersion, shape, tx, position, events } = row;
  return { name, projectionVersion, shape, place: { tx, position }, events: Number(events) };
};

export const beginProgress = async (
  manager: EntityManager,
  { name, projectionVersion, shape }: Pick<Progress, 'name' | 'projectionVersion' | 'shape'>,
): Promise<Progress> => {
  await manager.query(BEGIN, [name, projectionVersion, shape, START.tx, START.position]);
  return { name, projectionVersion, shape, place: START, events: 0 };
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

export const endProgress = async (manager: EntityManager, name: string): Promise<void> => {
  await manager.query(END, [name]);
};
