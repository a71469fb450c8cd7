import { testDatabase } from '@gridbourse/testing';
import { silentLogger } from '@gridbourse/observability';
import pg from 'pg';
import { DeadLetters, EmbeddedBus } from '../src/index.ts';
import { busContract } from './bus-contract.ts';

busContract('embedded, on a real Postgres', async () => {
  const database = await testDatabase('bus');
  const deadLetters = new DeadLetters({ databaseUrl: database.url });
  const admin = new pg.Pool({ connectionString: database.url, max: 1 });
  admin.on('error', () => undefined); // cut by drop() while it is closing
  return {
    connect: ({ retry }) =>
      new EmbeddedBus({
        databaseUrl: database.url,
        logger: silentLogger,
        retry,
        pollMs: 50,
        rebalanceMs: 50,
      }),
    kill: async (group) => {
      // What a dead process leaves behind is a closed socket.
      await admin.query(
        `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
         WHERE application_name = $1 AND datname = current_database()`,
        [`gridbourse-bus ${group}`],
      );
    },
    deadLetters,
    close: async () => {
      await deadLetters.close();
      await admin.end();
      await database.drop();
    },
  };
});
