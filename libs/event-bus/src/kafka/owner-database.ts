import pg from 'pg';
import { DeadLetterStore, type Place, type Querier } from '../dead-letters/dead-letter-store.ts';
import type { PartitionLetters } from '../delivery/record.ts';

export type Partition = { readonly topic: string; readonly partition: number };

/** Another member has taken the partition over: what we still believe about it is old. */
export class NoLongerOwner extends Error {
  constructor({ group, topic, partition }: Place) {
    super(`${topic}/${partition} has another owner in ${group}`);
    this.name = 'NoLongerOwner';
  }
}

const CLAIM = `
  INSERT INTO bus_partition_owners AS o (consumer_group, topic, partition, epoch)
  SELECT $1, t.topic, t.partition, 1 FROM unnest($2::text[], $3::int[]) AS t (topic, partition) ORDER BY 2, 3
  ON CONFLICT (consumer_group, topic, partition) DO UPDATE SET epoch = o.epoch + 1
  RETURNING topic, partition, epoch`;

const EPOCHS = `
  SELECT o.topic, o.partition, o.epoch
  FROM unnest($2::text[], $3::int[]) AS t (topic, partition)
  JOIN bus_partition_owners o ON o.consumer_group = $1 AND o.topic = t.topic AND o.partition = t.partition`;

type EpochRow = { topic: string; partition: number; epoch: string };

/**
 * What the members of a Kafka group keep in the database of their service. Kafka's own fence is the generation of a
 * commit; this one is for dead letters: who takes a partition counts its epoch up, and only the latest may write.
 */
export class OwnerDatabase {
  private readonly pool: pg.Pool;

  constructor(databaseUrl: string, onLost: (error: Error) => void) {
    this.pool = new pg.Pool({
      connectionString: databaseUrl,
      max: 2,
      connectionTimeoutMillis: 10_000,
      query_timeout: 30_000,
      application_name: 'gridbourse-bus dead letters',
      keepAlive: true,
    });
    this.pool.on('error', onLost);
  }

  /** @returns the epoch of each partition, by its name; those of `held` only if nobody else has taken it since */
  async epochs(group: string, partitions: readonly Partition[]): Promise<EpochRow[]> {
    return (await this.pool.query<EpochRow>(EPOCHS, [group, ...columns(partitions)])).rows;
  }

  async claim(group: string, partitions: readonly Partition[]): Promise<EpochRow[]> {
    if (partitions.length === 0) return [];
    return (await this.pool.query<EpochRow>(CLAIM, [group, ...columns(partitions)])).rows;
  }

  async keysToReplay(group: string): Promise<(Partition & { key: string })[]> {
    const sql = `SELECT topic, partition, key FROM bus_parked_keys
                 WHERE consumer_group = $1 AND replay_requested LIMIT 1000`;
    return (await this.pool.query<Partition & { key: string }>(sql, [group])).rows;
  }

  lettersOf(place: Place, epoch: string): PartitionLetters {
    const owner: Querier = {
      query: (text, values = []) => this.asOwner(place, epoch, text, values),
    };
    return new DeadLetterStore(owner, place);
  }

  async close(): Promise<void> {
    await this.pool.end();
  }

  /** One statement, in a transaction that holds off a new owner until it has committed. */
  private async asOwner<R extends object>(
    place: Place,
    epoch: string,
    text: string,
    values: unknown[],
  ): Promise<R[]> {
    const client = await this.pool.connect();
    let failure: Error | undefined;
    try {
      await client.query('BEGIN');
      const { rowCount } = await client.query(
        `SELECT 1 FROM bus_partition_owners
         WHERE consumer_group = $1 AND topic = $2 AND partition = $3 AND epoch = $4 FOR SHARE`,
        [place.group, place.topic, place.partition, epoch],
      );
      if (rowCount === 0) throw new NoLongerOwner(place);
      const { rows } = await client.query<R & pg.QueryResultRow>(text, values);
      await client.query('COMMIT');
      return rows;
    } catch (error) {
      failure = error as Error;
      await client.query('ROLLBACK').then(
        () => (failure = undefined),
        () => undefined,
      );
      throw error;
    } finally {
      client.release(failure);
    }
  }
}

const columns = (partitions: readonly Partition[]): [string[], number[]] => [
  partitions.map(({ topic }) => topic),
  partitions.map(({ partition }) => partition),
];
