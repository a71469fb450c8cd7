import pg from 'pg';
import { perSecond, timed } from '../frame/statistics.ts';
import { postingOf } from './fixture.ts';

/** The columns of the store's own table and its indexes, and nothing that the store does beyond an INSERT. */
const EQUAL_TABLE = 'CREATE TABLE bare_events (LIKE events INCLUDING ALL)';

const COLUMNS = '(stream_id, version, type, schema_version, data, metadata, occurred_at, tx, sequence)';

const ONE_ROW = `
  INSERT INTO bare_events ${COLUMNS}
  VALUES ($1, $2, 'AmountPosted', 1, $3::json, '{}', now(), pg_current_xact_id(), $2)`;

const MANY_ROWS = `
  INSERT INTO bare_events ${COLUMNS}
  SELECT stream_id, version, 'AmountPosted', 1, data::json, '{}', now(), pg_current_xact_id(), version
  FROM unnest($1::text[], $2::bigint[], $3::text[]) AS event (stream_id, version, data)`;

const textOf = (n: number): string => {
  const { type: _, ...data } = postingOf(n);
  return JSON.stringify({ ...data, amountMicros: data.amountMicros.toString() });
};

const withClient = async <T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
};

export const prepareEqualTable = (url: string): Promise<void> =>
  withClient(url, async (client) => void (await client.query(EQUAL_TABLE)));

/** INSERT, commit, INSERT, commit: what a service without an event store would do. */
export const rowByRow = (url: string, count: number): Promise<number> =>
  withClient(url, async (client) => {
    const { ms } = await timed(async () => {
      for (let n = 0; n < count; n += 1) {
        await client.query({ name: 'one-row', text: ONE_ROW, values: [`row/s${n}`, 1, textOf(n)] });
      }
    });
    return perSecond(count, ms);
  });

/** The upper limit: nothing but one INSERT a batch, from texts that are made before the clock starts. */
export const multiRow = (
  url: string,
  { events, batch }: { events: number; batch: number },
): Promise<number> =>
  withClient(url, async (client) => {
    const texts = Array.from({ length: events }, (_, n) => textOf(n));
    const { ms } = await timed(async () => {
      for (let from = 0; from < events; from += batch) {
        const data = texts.slice(from, from + batch);
        await client.query({
          name: 'many-rows',
          text: MANY_ROWS,
          values: [data.map((_, i) => `many/s${from + i}`), data.map(() => 1), data],
        });
      }
    });
    return perSecond(events, ms);
  });
