import { silentLogger } from '@gridbourse/observability';
import pg from 'pg';
import { DeadLetters, EmbeddedBus } from '../../src/index.ts';
import type { BusUnderTest } from '../contract/suite.ts';

/** The embedded bus on the real Postgres at this address. */
export const embeddedUnderTest = (databaseUrl: string, drop: () => Promise<void>): BusUnderTest => {
  const deadLetters = new DeadLetters({ databaseUrl });
  const admin = new pg.Pool({ connectionString: databaseUrl, max: 1 });
  admin.on('error', () => undefined); // cut by drop() while it is closing
  return {
    connect: (options) =>
      new EmbeddedBus({ databaseUrl, logger: silentLogger, pollMs: 50, rebalanceMs: 50, ...options }),
    kill: async (group) => {
      // What a dead process leaves behind is a closed socket.
      await admin.query(
        `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
         WHERE application_name = $1 AND datname = current_database()`,
        [`gridbourse-bus ${group}`],
      );
    },
    rewind: async (group) => {
      await admin.query('DELETE FROM bus_offsets WHERE consumer_group = $1', [group]);
    },
    topics: async () =>
      (await admin.query<{ topic: string }>('SELECT topic FROM bus_topics')).rows.map(({ topic }) => topic),
    deadLetters,
    close: async () => {
      await deadLetters.close();
      await admin.end();
      await drop();
    },
  };
};
