import { DomainError } from '@gridbourse/kernel';
import type { EntityManager } from 'typeorm';
import { type Cursor, START } from './cursor.ts';

const CREATE = `INSERT INTO subscription_checkpoints (name, tx, position) VALUES ($1, $2::xid8, $3) ON CONFLICT DO NOTHING`;
const READ = `SELECT tx::text AS tx, position FROM subscription_checkpoints WHERE name = $1`;
// RETURNING through a CTE: TypeORM answers a bare UPDATE in another form than a SELECT.
const ADVANCE = `
  WITH advanced AS (
    UPDATE subscription_checkpoints SET tx = $4::xid8, position = $5, advanced_at = now()
    WHERE name = $1 AND tx = $2::xid8 AND position = $3
    RETURNING name
  ) SELECT name FROM advanced`;
const SET = `
  INSERT INTO subscription_checkpoints (name, tx, position) VALUES ($1, $2::xid8, $3)
  ON CONFLICT (name) DO UPDATE SET tx = excluded.tx, position = excluded.position, advanced_at = now()`;

/** How far the subscription has come; it begins at the first event. */
export const openCheckpoint = async (manager: EntityManager, name: string): Promise<Cursor> => {
  await manager.query(CREATE, [name, START.tx, START.position]);
  const [row] = await manager.query<Cursor[]>(READ, [name]);
  return row!;
};

/**
 * Moves the checkpoint from where the caller knows it, in the caller's transaction, and keeps it locked until that ends.
 * @throws DomainError conflict `checkpoint_moved`: somebody else has moved it, so the caller's work is not wanted
 */
export const advanceCheckpoint = async (
  manager: EntityManager,
  name: string,
  { from, to }: { readonly from: Cursor; readonly to: Cursor },
): Promise<void> => {
  const rows = await manager.query<unknown[]>(ADVANCE, [name, from.tx, from.position, to.tx, to.position]);
  if (rows.length === 0) {
    throw new DomainError(
      'conflict',
      'checkpoint_moved',
      `another process has moved the checkpoint of ${name}`,
    );
  }
};

/**
 * Puts the checkpoint somewhere, whatever it is now: with what the consumer has, in one transaction. An owner that is at
 * work loses the page it has in hand, and goes on from the new place.
 */
export const setCheckpoint = async (manager: EntityManager, name: string, place: Cursor): Promise<void> => {
  await manager.query(SET, [name, place.tx, place.position]);
};
