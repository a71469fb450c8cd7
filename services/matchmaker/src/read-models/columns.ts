import { bigintArray, booleanArray, type CopyRows, intArray, textArray } from '@gridbourse/postgres';
import type { EntityManager, EntityTarget, ObjectLiteral } from 'typeorm';

/** How values of a type travel, null aside: alone in a row, and as an array with an element a row. */
type Carrier = {
  /** The type of the array's elements. */
  readonly element: string;
  readonly arrayOf: (values: readonly unknown[]) => Buffer;
  /** What makes the value of an element, where its type is another. */
  readonly read: string;
  readonly write: (rows: CopyRows, value: unknown) => void;
};

/** Compared by type only: the values come from entities, whose types say the same. */
const carrier = <Value>(
  element: string,
  arrayOf: (values: readonly (Value | null)[]) => Buffer,
  write: (rows: CopyRows, value: Value) => void,
  read = '',
): Carrier => ({ element, read, arrayOf: arrayOf as Carrier['arrayOf'], write: write as Carrier['write'] });

const jsonTextArray = (values: readonly unknown[]): Buffer =>
  textArray(values.map((value) => (value === null ? null : JSON.stringify(value))));

const CARRIERS: Readonly<Record<string, Carrier>> = {
  text: carrier('text', textArray, (rows, value: string) => rows.text(value)),
  int: carrier('int', intArray, (rows, value: number) => rows.int(value)),
  bigint: carrier('bigint', bigintArray, (rows, value: number | bigint) => rows.bigint(value)),
  boolean: carrier('boolean', booleanArray, (rows, value: boolean) => rows.boolean(value)),
  jsonb: carrier('text', jsonTextArray, (rows, value) => rows.jsonb(JSON.stringify(value)), '::jsonb'),
};

export type RowColumn = Carrier & {
  /** Quoted. */
  readonly name: string;
  readonly property: string;
  readonly isKey: boolean;
};

export type RowTable = { /** Quoted. */ readonly name: string; readonly columns: readonly RowColumn[] };

/** @throws Error for a column of a type that is not known here */
export const rowTable = (manager: EntityManager, entity: EntityTarget<ObjectLiteral>): RowTable => {
  const { tableName, columns } = manager.connection.getMetadata(entity);
  return {
    name: `"${tableName}"`,
    columns: columns.map(({ databaseName, propertyName: property, type, isPrimary: isKey }) => {
      const way = CARRIERS[String(type)];
      if (!way) throw new Error(`${tableName}.${databaseName}: ${String(type)} cannot be put in by rows`);
      return { ...way, name: `"${databaseName}"`, property, isKey };
    }),
  };
};
