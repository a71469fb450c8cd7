import { copyIn, CopyRows, intArray, textArray } from '@gridbourse/postgres';
import type pg from 'pg';

/** A record with the partition that its key has, as it is written. */
export type PlacedRecord = {
  readonly topic: string;
  readonly partition: number;
  readonly key: string;
  readonly headers: string;
  readonly value: string;
};

const APPEND = `
  SELECT bus_append($1::text[], $2::int[], $3::int[], $4::int[], $5::int[], $6::text[], $7::text[], $8::text[])`;

/** The list has commas between: the driver takes long to read an array. */
const CLAIM = `SELECT array_to_string(bus_claim($1::text[], $2::int[], $3::int[]), ',') AS "firstOffsets"`;

const COPY_RECORDS = `
  COPY bus_log (topic, partition, record_offset, key, headers, value) FROM STDIN (FORMAT binary)`;
const COLUMNS = 6;

/** From so many records on, copying them saves the server more than the other round trips cost. */
const COPIED_FROM_RECORDS = 100;

/** Records of one partition, in the order in which they were given. */
type Part = readonly [PlacedRecord, ...PlacedRecord[]];

const byPartition = (records: readonly PlacedRecord[]): Part[] => {
  const parts = new Map<string, [PlacedRecord, ...PlacedRecord[]]>();
  for (const record of records) {
    const name = `${record.topic}/${record.partition}`;
    const known = parts.get(name);
    if (known) known.push(record);
    else parts.set(name, [record]);
  }
  return [...parts.values()];
};

/** What bus_claim takes, and bus_append first. */
const claimParameters = (parts: readonly Part[]): Buffer[] => [
  textArray(parts.map(([first]) => first.topic)),
  intArray(parts.map(([first]) => first.partition)),
  intArray(parts.map(({ length }) => length)),
];

const appendParameters = (parts: readonly Part[]): Buffer[] => {
  const sorted = parts.flat();
  return [
    ...claimParameters(parts),
    intArray(parts.flatMap((all, at) => all.map(() => at + 1))),
    intArray(parts.flatMap((all) => all.map((_, nth) => nth))),
    textArray(sorted.map(({ key }) => key)),
    textArray(sorted.map(({ headers }) => headers)),
    textArray(sorted.map(({ value }) => value)),
  ];
};

const writeRecord = (rows: CopyRows, record: PlacedRecord, offset: number): void => {
  rows.row();
  rows.text(record.topic);
  rows.int(record.partition);
  rows.bigint(offset);
  rows.text(record.key);
  rows.text(record.headers);
  rows.text(record.value);
};

const logRows = (parts: readonly Part[], firstOffsets: readonly number[]): CopyRows => {
  const rows = new CopyRows(COLUMNS);
  for (const [at, part] of parts.entries()) {
    for (const [nth, record] of part.entries()) writeRecord(rows, record, firstOffsets[at]! + nth);
  }
  return rows;
};

/**
 * Appends records to the log, all or none. They go partition by partition: so the log is read, and its index grows at few
 * places.
 * @throws errors of the driver as they are
 */
export const appendToLog = async (pool: pg.Pool, records: readonly PlacedRecord[]): Promise<void> => {
  const parts = byPartition(records);
  if (records.length < COPIED_FROM_RECORDS) await pool.query(APPEND, appendParameters(parts));
  else await copyToLog(pool, parts);
};

const copyToLog = async (pool: pg.Pool, parts: readonly Part[]): Promise<void> => {
  const client = await pool.connect();
  let failure: Error | undefined;
  try {
    await client.query('BEGIN');
    const { rows } = await client.query<{ firstOffsets: string }>(CLAIM, claimParameters(parts));
    await copyIn(client, COPY_RECORDS, logRows(parts, rows[0]!.firstOffsets.split(',').map(Number)));
    await client.query('COMMIT');
  } catch (error) {
    failure = error instanceof Error ? error : new Error('records could not be copied', { cause: error });
    throw error;
  } finally {
    // A connection that failed in the middle of a transaction is not used again: its end is the rollback.
    client.release(failure);
  }
};
