import { randomBytes } from 'node:crypto';
import pg from 'pg';

const urlOf = (database: string): string => {
  const base = process.env['TEST_PG_URL'];
  if (!base) throw new Error('TEST_PG_URL is not set: is the test named *.int.spec.ts?');
  return `${base}/${database}`;
};

const asAdmin = async <T>(work: (client: pg.Client) => Promise<T>): Promise<T> => {
  const client = new pg.Client({ connectionString: urlOf('postgres') });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
};

export type TestDatabase = {
  /** `postgres://user:password@host:port/name` */
  readonly url: string;
  /** Removes it with force: connections that are still open are cut. */
  drop(): Promise<void>;
};

/**
 * A fresh database, cloned from a template that is migrated once a run by whichever worker comes first
 * (a clone takes 0.1 to 0.3 s).
 *
 * @param service names the template: lower case, digits and underscores. Two callers with the same name must migrate
 *   alike.
 * @param migrate brings the empty database at this url to its latest form, and leaves no connection open.
 */
export const testDatabase = async (
  service: string,
  migrate: (url: string) => Promise<void> = () => Promise.resolve(),
): Promise<TestDatabase> => {
  if (!/^[a-z0-9_]{1,40}$/.test(service)) throw new Error(`"${service}" cannot name a test database`);
  const template = `tpl_${service}`;
  const name = `t_${service}_${randomBytes(6).toString('hex')}`;
  await asAdmin(async (client) => {
    await client.query('SELECT pg_advisory_lock(hashtext($1))', [template]); // freed when the connection ends
    const { rowCount } = await client.query(
      'SELECT 1 FROM pg_database WHERE datname = $1 AND datistemplate',
      [template],
    );
    if (rowCount === 0) {
      await client.query(`DROP DATABASE IF EXISTS ${template}`);
      await client.query(`CREATE DATABASE ${template}`);
      await migrate(urlOf(template));
      await client.query(`ALTER DATABASE ${template} IS_TEMPLATE true`);
    }
    // Inside the lock: a clone needs a template that nobody is connected to.
    await client.query(`CREATE DATABASE ${name} TEMPLATE ${template} STRATEGY FILE_COPY`);
  });
  return {
    url: urlOf(name),
    drop: () =>
      asAdmin(async (client) => void (await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`))),
  };
};
