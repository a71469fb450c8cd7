import { readFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import { silentLogger } from '@gridbourse/observability';
import { eventually, testDatabase } from '@gridbourse/testing';
import pg from 'pg';
import { EmbeddedBus } from '../src/index.ts';
import { partitionOf } from '../src/embedded/partitioner.ts';
import { Collector, record } from './records.ts';

// Real here: Postgres, and the first form of the tables of the bus.

const FIRST = readFileSync(new URL('../migrations/bus/0001-bus.sql', import.meta.url), 'utf8');
const TOPIC = 'gridbourse.test.upgrade';

/** As a process of the release before publishes, by the function that it calls. */
const publishBefore = (client: pg.Client, sequences: readonly number[]): Promise<unknown> => {
  const records = sequences.map((sequence) => record(TOPIC, 'a', sequence));
  return client.query('SELECT bus_publish($1::text[], $2::int[], $3::text[], $4::text[], $5::text[])', [
    records.map(() => TOPIC),
    records.map(({ key }) => partitionOf(key, 8)),
    records.map(({ key }) => key),
    records.map(({ headers }) => JSON.stringify(headers)),
    records.map(({ value }) => JSON.stringify(value)),
  ]);
};

it('goes on behind what the release before published, and beside a process of that release', async () => {
  const database = await testDatabase('bus_before');
  const before = new pg.Client({ connectionString: database.url });
  await before.connect();
  const bus = new EmbeddedBus({ databaseUrl: database.url, logger: silentLogger, pollMs: 50 });
  try {
    await before.query(
      `${FIRST}; CREATE TABLE bus_schema (number int PRIMARY KEY); INSERT INTO bus_schema VALUES (1)`,
    );
    await before.query(`INSERT INTO bus_topics VALUES ('${TOPIC}', 8)`);
    await before.query(`INSERT INTO bus_partitions SELECT '${TOPIC}', n FROM generate_series(0, 7) AS n`);
    await publishBefore(before, [1, 2]);
    await bus.start();
    const collector = new Collector();
    await bus.subscribe({ group: 'reader', topics: [TOPIC], handler: collector.handler });
    await bus.publish([record(TOPIC, 'a', 3), record(TOPIC, 'a', 4)]);
    await publishBefore(before, [5]);
    await bus.publish([record(TOPIC, 'a', 6)]);
    await bus.publish(Array.from({ length: 150 }, (_, at) => record(TOPIC, 'a', 7 + at)));
    await publishBefore(before, [157]);
    await eventually(() => collector.finished.length === 157, { deadlineMs: 20_000 });
    expect(collector.sequencesOf('a')).toEqual(Array.from({ length: 157 }, (_, at) => at + 1));
    // As such a process reads.
    const { rows } = await before.query<{ value: unknown }>(
      'SELECT value FROM bus_records ORDER BY record_offset',
    );
    expect(rows.map(({ value }) => value)).toEqual(collector.finished.map(({ value }) => value));
  } finally {
    await bus.close();
    await before.end();
    await database.drop();
  }
}, 60_000);
