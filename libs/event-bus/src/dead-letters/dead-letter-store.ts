import type { Failure, LoggedRecord, OpenLetter, PartitionLetters } from '../delivery/record.ts';

/** Where statements go: the session of an embedded consumer, or a pool that checks who owns the partition. */
export interface Querier {
  query<R extends object>(text: string, values?: unknown[]): Promise<R[]>;
}

export type Place = { readonly group: string; readonly topic: string; readonly partition: number };

const PARK = `
  WITH parked AS (
    INSERT INTO bus_parked_keys (consumer_group, topic, partition, key) VALUES ($1, $2, $3, $5)
    ON CONFLICT DO NOTHING
  )
  INSERT INTO bus_dead_letters
    (consumer_group, topic, partition, record_offset, key, headers, value, state, error, attempts, error_code)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
  ON CONFLICT (consumer_group, topic, partition, record_offset) DO NOTHING`;

const NEXT_LETTER = `
  SELECT id, record_offset, key, headers, value, state, skip_reason FROM bus_dead_letters
  WHERE consumer_group = $1 AND topic = $2 AND key = $3 AND settled_at IS NULL
  ORDER BY record_offset LIMIT 1`;

/** Dead letters and parked keys in Postgres: the same tables for every adapter. */
export class DeadLetterStore implements PartitionLetters {
  private readonly database: Querier;
  private readonly place: Place;

  constructor(database: Querier, place: Place) {
    this.database = database;
    this.place = place;
  }

  async parkedKeys(): Promise<string[]> {
    const { group, topic, partition } = this.place;
    const rows = await this.database.query<{ key: string }>(
      'SELECT key FROM bus_parked_keys WHERE consumer_group = $1 AND topic = $2 AND partition = $3',
      [group, topic, partition],
    );
    return rows.map((row) => row.key);
  }

  async park(record: LoggedRecord, failure: Failure | null): Promise<void> {
    const { group, topic, partition } = this.place;
    const { offset, key, headers, value } = record;
    const state = failure === null ? 'waiting' : 'failed';
    await this.database.query(PARK, [
      ...[group, topic, partition, offset, key, JSON.stringify(headers), JSON.stringify(value)],
      ...[state, failure?.error ?? null, failure?.attempts ?? 0, failure?.code ?? null],
    ]);
  }

  async next(key: string): Promise<OpenLetter | null> {
    type Row = {
      id: string;
      record_offset: string;
      key: string;
      headers: unknown;
      value: unknown;
      state: OpenLetter['state'];
      skip_reason: string | null;
    };
    const [row] = await this.database.query<Row>(NEXT_LETTER, [this.place.group, this.place.topic, key]);
    if (!row) return null;
    const { id, headers, value, state } = row;
    return { id, offset: Number(row.record_offset), key, headers, value, state, skipReason: row.skip_reason };
  }

  async settle(id: string, state: 'replayed' | 'skipped'): Promise<void> {
    await this.database.query(
      'UPDATE bus_dead_letters SET state = $2, settled_at = clock_timestamp() WHERE id = $1',
      [id, state],
    );
  }

  async failAgain(letter: OpenLetter, { code, error, attempts }: Failure): Promise<void> {
    await this.database.query(
      `WITH asked AS (
         UPDATE bus_parked_keys SET replay_requested = false
         WHERE consumer_group = $1 AND topic = $2 AND key = $3
       )
       UPDATE bus_dead_letters SET state = 'failed', error = $5, attempts = attempts + $6, error_code = $7
       WHERE id = $4`,
      [this.place.group, this.place.topic, letter.key, letter.id, error, attempts, code],
    );
  }

  async unpark(key: string): Promise<void> {
    await this.database.query(
      'DELETE FROM bus_parked_keys WHERE consumer_group = $1 AND topic = $2 AND key = $3',
      [this.place.group, this.place.topic, key],
    );
  }
}
