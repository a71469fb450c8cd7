import { testDatabase } from '@gridbourse/testing';
import { silentLogger } from '@gridbourse/observability';
import pg from 'pg';
import { DeadLetters, EmbeddedBus } from '../src/index.ts';
import { busContract } from './bus-contract.ts';

busContract('embedded, on a real Postgres', async () => {
  const database = await testDatabase('bus');
  const deadLetters = new DeadLetters({ databaseUrl: database.url });
  const admin = new pg.Pool({ connectionString: database.url, max: 1 });
  return {
    connect: ({ retry }) =>
      new EmbeddedBus({
        databaseUrl: database.url,
        logger: silentLogger,
        retry,
        pollMs: 50,
        rebalanceMs: 50,
      }),
    kill: async () => {
      // The first consumer's connection: what a dead process leaves is a closed socket.
      await admin.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE application_name = 'gridbourse-bus heirs' AND datname = current_database()`,
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
