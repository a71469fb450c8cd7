import type { EntityManager, EntityTarget, ObjectLiteral } from 'typeorm';

type Column = { readonly name: string; readonly property: string; readonly to: (value: unknown) => unknown };
type Statement = { readonly sql: string; readonly columns: readonly Column[] };

const statements = new WeakMap<object, Statement>();

const statementFor = (manager: EntityManager, entity: EntityTarget<ObjectLiteral>): Statement => {
  const { tableName, columns, primaryColumns } = manager.connection.getMetadata(entity);
  const typed = columns.map(({ databaseName, type }) => `"${databaseName}" ${String(type)}`);
  const names = columns.map(({ databaseName }) => `"${databaseName}"`);
  const keys = primaryColumns.map(({ databaseName }) => `"${databaseName}"`);
  const others = names.filter((name) => !keys.includes(name));
  return {
    columns: columns.map(({ databaseName, propertyName, transformer }) => ({
      name: databaseName,
      property: propertyName,
      to:
        transformer && !Array.isArray(transformer)
          ? (value) => transformer.to(value) as unknown
          : (value) => value,
    })),
    sql: `
      INSERT INTO "${tableName}" (${names.join(', ')})
      SELECT ${names.join(', ')} FROM jsonb_to_recordset($1::jsonb) AS row (${typed.join(', ')})
      ON CONFLICT (${keys.join(', ')}) DO UPDATE SET ${others.map((name) => `${name} = excluded.${name}`).join(', ')}`,
  };
};

/**
 * Puts rows in place of those with their keys, however many, in one statement with one parameter: TypeORM's own upsert makes
 * a parameter of every value.
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
  const { columns } = statement;
  const records = rows.map((row) =>
    Object.fromEntries(columns.map(({ name, property, to }) => [name, to(row[property])])),
  );
  await manager.query(statement.sql, [JSON.stringify(records)]);
};
