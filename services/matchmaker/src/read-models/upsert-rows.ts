import { bigintArray, booleanArray, intArray, textArray } from '@gridbourse/event-bus';
import type { EntityManager, EntityTarget, ObjectLiteral } from 'typeorm';

type Column = { readonly property: string; readonly arrayOf: (values: readonly unknown[]) => Buffer };
type Statement = { readonly sql: string; readonly columns: readonly Column[] };

const jsonTextArray = (values: readonly unknown[]): Buffer =>
  textArray(values.map((value) => (value == null ? null : JSON.stringify(value))));

/** How values of a column travel: as what type, by which array, and how they are read there. */
const CARRIERS: Readonly<
  Record<string, { carrier: string; arrayOf: (values: never) => Buffer; read?: string }>
> = {
  text: { carrier: 'text', arrayOf: textArray },
  int: { carrier: 'int', arrayOf: intArray },
  bigint: { carrier: 'bigint', arrayOf: bigintArray },
  boolean: { carrier: 'boolean', arrayOf: booleanArray },
  jsonb: { carrier: 'text', arrayOf: jsonTextArray, read: '::jsonb' },
};

const statements = new WeakMap<object, Statement>();

const statementFor = (manager: EntityManager, entity: EntityTarget<ObjectLiteral>): Statement => {
  const { tableName, columns, primaryColumns } = manager.connection.getMetadata(entity);
  const carried = columns.map(({ databaseName, propertyName, type }) => {
    const way = CARRIERS[String(type)];
    if (!way) throw new Error(`${tableName}.${databaseName}: ${String(type)} cannot be put in by rows`);
    return { name: `"${databaseName}"`, property: propertyName, ...way };
  });
  const names = carried.map(({ name }) => name);
  const keys = primaryColumns.map(({ databaseName }) => `"${databaseName}"`);
  const others = names.filter((name) => !keys.includes(name));
  return {
    columns: carried as unknown as readonly Column[],
    sql: `
      INSERT INTO "${tableName}" (${names.join(', ')})
      SELECT ${carried.map(({ name, read = '' }) => name + read).join(', ')}
      FROM (SELECT ${carried.map(({ name, carrier }, at) => `unnest($${at + 1}::${carrier}[]) AS ${name}`).join(', ')}) AS row
      ON CONFLICT (${keys.join(', ')}) DO UPDATE SET ${others.map((name) => `${name} = excluded.${name}`).join(', ')}`,
  };
};

/**
 * Puts rows in place of those with their keys, however many, in one statement with a parameter a column: TypeORM's own
 * upsert makes a parameter of every value. Amounts and instants go as the bigints and numbers that they are.
 * @param rows each key once
 */
export const upsertRows = async <Entity extends ObjectLiteral>(
  manager: EntityManager,
  entity: new () => Entity,
  rows: readonly Entity[],
): Promise<void> => {
  if (rows.length === 0) return;
  let statement = statements.get(entity);
  if (!statement) statements.set(entity, (statement = statementFor(manager, entity)));
  await manager.query(
    statement.sql,
    statement.columns.map(({ property, arrayOf }) => arrayOf(rows.map((row) => row[property] as unknown))),
  );
};
