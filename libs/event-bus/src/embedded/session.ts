import pg from 'pg';
import type { Querier } from '../dead-letters/dead-letter-store.ts';
import { pause } from '../retry.ts';

/**
 * A peer that vanished without a word is noticed within 20 s. Progress may lag behind a crash of the database: the log
 * keeps its order, so a lost note of progress means a redelivery and nothing else.
 */
const SETTINGS = `
  SET tcp_keepalives_idle = 8; SET tcp_keepalives_interval = 4; SET tcp_keepalives_count = 3;
  SET statement_timeout = '30s'; SET synchronous_commit = off`;

/**
 * One connection that holds the advisory locks of one consumer and does all that only the holder may do. So nothing a
 * consumer writes about its progress can land after it lost its partitions: the connection that could write it is gone.
 */
export class Session implements Querier {
  private readonly client: pg.Client;
  private failure: Error | null = null;
  private ended = false;
  private tail: Promise<unknown> = Promise.resolve();

  private constructor(client: pg.Client) {
    this.client = client;
  }

  static async open(databaseUrl: string, name: string, onLost: (error: Error) => void): Promise<Session> {
    const client = new pg.Client({
      connectionString: databaseUrl,
      application_name: name.slice(0, 63),
      connectionTimeoutMillis: 10_000,
      query_timeout: 35_000,
      keepAlive: true,
    });
    const session = new Session(client);
    const lose = (error: Error): void => {
      if (session.ended) return;
      session.failure ??= error;
      onLost(session.failure);
    };
    client.on('error', lose);
    client.on('end', () => lose(new Error('the connection to the bus database ended')));
    try {
      await client.connect();
      await client.query(SETTINGS);
    } catch (error) {
      await session.close();
      throw error;
    }
    return session;
  }

  /** Statements run one after the other, in the order of the calls. */
  query<R extends object>(text: string, values: unknown[] = []): Promise<R[]> {
    const run = this.tail.then(async () => {
      if (this.failure) throw this.failure;
      return (await this.client.query<R & pg.QueryResultRow>(text, values)).rows;
    });
    this.tail = run.catch(() => undefined);
    return run;
  }

  onNotification(channel: string, listener: (payload: string) => void): void {
    this.client.on('notification', (message) => {
      if (message.channel === channel) listener(message.payload ?? '');
    });
  }

  async close(): Promise<void> {
    this.ended = true;
    // A server that is out of reach does not confirm the end.
    const confirmed = new AbortController();
    const ending = this.client.end().catch(() => undefined);
    await Promise.race([ending.then(() => confirmed.abort()), pause(2_000, confirmed.signal)]);
  }
}
