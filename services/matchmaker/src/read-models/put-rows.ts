import { type CopyClient, copyIn, CopyRows } from '@gridbourse/postgres';
import type { EntityManager, ObjectLiteral } from 'typeorm';
import { type RowColumn, type RowTable, rowTable } from './columns.ts';

type Statements = { readonly columns: readonly RowColumn[]; readonly upsert: string; readonly copy: string };
type Entity<Row> = new () => Row;

const statements = new WeakMap<object, Statements>();

const statementsFor = <Row extends ObjectLiteral>(
  manager: EntityManager,
  entity: Entity<Row>,
): Statements => {
  let found = statements.get(entity);
  if (!found) statements.set(entity, (found = statementsOf(rowTable(manager, entity))));
  return found;
};

const statementsOf = ({ name, columns }: RowTable): Statements => {
  const names = columns.map((column) => column.name).join(', ');
  const keys = columns.filter(({ isKey }) => isKey).map((column) => column.name);
  const others = columns.filter(({ isKey }) => !isKey).map((column) => column.name);
  const arrays = columns.map(({ element, name }, at) => `unnest($${at + 1}::${element}[]) AS ${name}`);
  return {
    columns,
    upsert: `
      INSERT INTO ${name} (${names}) SELECT ${columns.map((column) => column.name + column.read).join(', ')}
      FROM (SELECT ${arrays.join(', ')}) AS row
      ON CONFLICT (${keys.join(', ')}) DO UPDATE SET ${others.map((other) => `${other} = excluded.${other}`).join(', ')}`,
    copy: `COPY ${name} (${names}) FROM STDIN (FORMAT binary)`,
  };
};

/** In one statement with a parameter a column: TypeORM's own upsert makes a parameter of every value. */
const upsertRows = async <Row extends ObjectLiteral>(
  manager: EntityManager,
  entity: Entity<Row>,
  rows: readonly Row[],
): Promise<void> => {
  if (rows.length === 0) return;
  const { upsert, columns } = statementsFor(manager, entity);
  await manager.query(
    upsert,
    columns.map(({ property, arrayOf }) => arrayOf(rows.map((row) => (row[property] ?? null) as unknown))),
  );
};

const writeRow = (copied: CopyRows, columns: readonly RowColumn[], row: ObjectLiteral): void => {
  copied.row();
  for (const { property, write } of columns) {
    const value = row[property] as unknown;
    if (value === null || value === undefined) copied.null();
    else write(copied, value);
  }
};

/** Copies them: half the cost of `upsertRows`. */
const insertRows = async <Row extends ObjectLiteral>(
  manager: EntityManager,
  entity: Entity<Row>,
  rows: readonly Row[],
): Promise<void> => {
  if (rows.length === 0) return;
  const { copy, columns } = statementsFor(manager, entity);
  const copied = new CopyRows(columns.length);
  for (const row of rows) writeRow(copied, columns, row);
  const client = (await manager.queryRunner!.connect()) as CopyClient;
  await copyIn(client, copy, copied);
};

/**
 * Puts rows in place of those with their keys, or adds them, however many. Amounts and instants go as the bigints and numbers
 * that they are.
 * @param manager of a transaction
 * @param rows each key once
 * @param isNew whether the table cannot have the key yet; it may say no of one that it has not
 * @throws errors of the driver as they are: 23505 for a row that was called new and is there
 */
export const putRows = async <Row extends ObjectLiteral>(
  manager: EntityManager,
  entity: Entity<Row>,
  rows: readonly Row[],
  isNew: (row: Row) => boolean,
): Promise<void> => {
  const [fresh, known]: [Row[], Row[]] = [[], []];
  for (const row of rows) (isNew(row) ? fresh : known).push(row);
  // What is new may take the place of what was there: of leases of a group one lives.
  await upsertRows(manager, entity, known);
  await insertRows(manager, entity, fresh);
};
