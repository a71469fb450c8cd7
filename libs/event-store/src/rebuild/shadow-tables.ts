import { DomainError } from '@gridbourse/kernel';
import type { EntityManager } from 'typeorm';
import {
  CONSTRAINTS,
  type Definition,
  FOREIGN_KEYS_FROM_OUTSIDE,
  GRANTS,
  INDEXES,
  SHAPE,
  UNFIT,
} from './table-definitions.ts';

export type TableSet = {
  /** The schema in which they are served. */
  readonly home: string;
  /** The schema in which their successors grow. */
  readonly shadow: string;
  readonly tables: readonly string[];
};

const SIMPLE_NAME = /^[a-z_][a-z0-9_]{0,50}$/;

/** @throws DomainError internal `unfit_read_model` for names that would have to be quoted in some places and not in others */
export const tableSet = (name: string, home: string, tables: readonly string[]): TableSet => {
  for (const part of [name, home, ...tables]) {
    if (!SIMPLE_NAME.test(part)) throw unfit(`"${part.slice(0, 60)}" is no simple name`);
  }
  return { home, shadow: `rebuild_${name}`, tables };
};

const unfit = (message: string): DomainError => new DomainError('internal', 'unfit_read_model', message);

const retired = (set: TableSet): string => `${set.shadow}_retired`;
const within = (schema: string, table: string): string => `"${schema}"."${table}"`;
const listIn = (schema: string, tables: readonly string[]): string =>
  tables.map((table) => within(schema, table)).join(', ');

/** Names without a schema mean the tables of this schema first, for the rest of the transaction. */
export const preferSchema = async (manager: EntityManager, schemas: readonly string[]): Promise<void> => {
  await manager.query(`SELECT set_config('search_path', $1, true)`, [
    schemas.map((schema) => `"${schema}"`).join(', '),
  ]);
};

const definitions = (
  manager: EntityManager,
  sql: string,
  schema: string,
  set: TableSet,
): Promise<Definition[]> => manager.query<Definition[]>(sql, [schema, set.tables]);

/**
 * Everything that makes the tables what they are (columns, constraints, indexes, rights), as text: two sets of tables
 * with one text are interchangeable. Leaves the search path on that schema.
 */
export const shapeOf = async (manager: EntityManager, schema: string, set: TableSet): Promise<string> => {
  await preferSchema(manager, [schema, set.home]);
  const [row] = await manager.query<{ shape: string | null }[]>(SHAPE, [schema, set.tables]);
  return row!.shape ?? '';
};

/** @throws DomainError internal `unfit_read_model` naming everything that keeps the tables from being exchanged */
export const refuseUnfitTables = async (manager: EntityManager, set: TableSet): Promise<void> => {
  const rows = await manager.query<{ reason: string }[]>(UNFIT, [set.home, set.tables]);
  if (rows.length > 0) throw unfit(rows.map(({ reason }) => reason).join('; '));
};

/** Makes empty tables of the same shape in the shadow's schema, in the caller's transaction. */
export const createShadow = async (manager: EntityManager, set: TableSet): Promise<void> => {
  await preferSchema(manager, [set.home]);
  const constraints = await definitions(manager, CONSTRAINTS, set.home, set);
  const indexes = await definitions(manager, INDEXES, set.home, set);
  const grants = await definitions(manager, GRANTS, set.home, set);
  await manager.query(`CREATE SCHEMA "${set.shadow}"`);
  for (const table of set.tables) {
    await manager.query(
      `CREATE TABLE ${within(set.shadow, table)} (LIKE ${within(set.home, table)} INCLUDING ALL EXCLUDING INDEXES)`,
    );
  }
  // From here on a foreign key finds its target among the new tables, where there is one.
  await preferSchema(manager, [set.shadow, set.home]);
  for (const { table, name, definition } of constraints) {
    await manager.query(`ALTER TABLE ${within(set.shadow, table)} ADD CONSTRAINT "${name}" ${definition}`);
  }
  for (const { definition } of indexes) {
    await manager.query(definition.replace(` ON ${set.home}.`, ` ON ${set.shadow}.`));
  }
  for (const { table, definition } of grants) {
    await manager.query(definition.replace('%TABLE%', within(set.shadow, table)));
  }
  const [wanted, made] = [await shapeOf(manager, set.home, set), await shapeOf(manager, set.shadow, set)];
  if (wanted !== made) throw unfit(`the copies of ${set.tables.join(', ')} would differ from them`);
};

export const dropShadow = async (manager: EntityManager, set: TableSet): Promise<void> => {
  await manager.query(`DROP SCHEMA IF EXISTS "${set.shadow}" CASCADE`);
};

/** So that the planner knows the new tables when they begin to serve. */
export const analyseShadow = async (manager: EntityManager, set: TableSet): Promise<void> => {
  await manager.query(`ANALYZE ${listIn(set.shadow, set.tables)}`);
};

/** Keeps writers of the tables away until the end of the transaction; readers go on. Waits for those who write now. */
export const lockWriters = async (manager: EntityManager, set: TableSet): Promise<void> => {
  await manager.query(`LOCK TABLE ${listIn(set.home, set.tables)} IN EXCLUSIVE MODE`);
};

/** Keeps readers away as well: nobody comes in between later, when the tables are exchanged. */
export const lockEveryone = async (manager: EntityManager, set: TableSet): Promise<void> => {
  await manager.query(`LOCK TABLE ${listIn(set.home, set.tables)} IN ACCESS EXCLUSIVE MODE`);
};

/**
 * The same for who keeps writers away already: takes the first moment in which nobody reads, for half a second. It must not
 * queue for the lock: a writer that has read the tables and now waits for us would be taken for the cause of a deadlock, and
 * lose its transaction.
 */
const lockReadersToo = async (manager: EntityManager, set: TableSet): Promise<void> => {
  await manager.query(`
    DO $$ BEGIN
      FOR attempt IN 1..100 LOOP
        BEGIN
          LOCK TABLE ${listIn(set.home, set.tables)} IN ACCESS EXCLUSIVE MODE NOWAIT;
          RETURN;
        EXCEPTION WHEN lock_not_available THEN
          PERFORM pg_sleep(0.005);
        END;
      END LOOP;
      RAISE lock_not_available USING MESSAGE = 'the tables are being read all the time';
    END $$`);
};

/**
 * Puts the shadow in the place of the tables and drops those, in the caller's transaction. Readers wait from here to its
 * end, for a few milliseconds. Tables outside that refer to these by foreign keys are made to refer to the new ones.
 */
export const exchangeTables = async (manager: EntityManager, set: TableSet): Promise<void> => {
  await preferSchema(manager, [set.home]);
  const fromOutside = await definitions(manager, FOREIGN_KEYS_FROM_OUTSIDE, set.home, set);
  await lockReadersToo(manager, set);
  for (const { table, name } of fromOutside) {
    await manager.query(`ALTER TABLE ${table} DROP CONSTRAINT "${name}"`);
  }
  await manager.query(`CREATE SCHEMA "${retired(set)}"`);
  for (const table of set.tables) {
    await manager.query(`ALTER TABLE ${within(set.home, table)} SET SCHEMA "${retired(set)}"`);
  }
  for (const table of set.tables) {
    await manager.query(`ALTER TABLE ${within(set.shadow, table)} SET SCHEMA "${set.home}"`);
  }
  for (const { table, name, definition } of fromOutside) {
    await manager.query(`ALTER TABLE ${table} ADD CONSTRAINT "${name}" ${definition}`);
  }
  // Without CASCADE: whatever else still hangs on the old tables undoes the exchange.
  await manager.query(`DROP TABLE ${listIn(retired(set), set.tables)}`);
  await manager.query(`DROP SCHEMA "${retired(set)}", "${set.shadow}"`);
};
