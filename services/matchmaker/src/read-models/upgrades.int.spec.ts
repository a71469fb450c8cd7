import {
  EventStore,
  eventStoreMigrations,
  type MigrationClass,
  sqlMigrations,
} from '@gridbourse/event-store';
import { systemClock } from '@gridbourse/kernel';
import { testDatabase } from '@gridbourse/testing';
import { describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { idOf } from '../../test/builders.ts';
import { matchmakerCatalogue } from '../event-catalogue.ts';
import { TimelineReader } from './timeline-reader.ts';

// Real here: Postgres, and every migration.

const ownMigrations = sqlMigrations(new URL('../../migrations/', import.meta.url), 'matchmaker');
const numberOf = (migration: MigrationClass): number => Number(new migration().name!.slice(-4));

const migrate = async (url: string, migrations: readonly MigrationClass[]): Promise<DataSource> => {
  const dataSource = new DataSource({ type: 'postgres', url, migrations: [...migrations] });
  await dataSource.initialize();
  await dataSource.runMigrations();
  return dataSource;
};

const OLD_ROWS = `
  INSERT INTO orders (order_id, account_id, version, state, name, run, max_rate_micros, duration_seconds, submitted_at_ms, expires_at_ms, warnings, request_hash, live)
  VALUES ('ord_a', 'acc_a', 1, 'submitted', 'web', 'service', 1, 1, 1, 1, '[]', '', true),
         ('ord_b', 'acc_a', 1, 'submitted', 'web', 'service', 1, 1, 1, 1, '[]', '', true);
    INSERT INTO events (stream_id, version, type, schema_version, data, metadata, occurred_at, tx)
  VALUES ('ord_a', 1, 'OrderSubmitted', 2, '{"profile":"fastest"}', '{}', now(), pg_current_xact_id());
  INSERT INTO providers (provider_id, account_id, name, place, attributes, tier, activated, suspended, presence, sequence)
  VALUES ('prv_old', 'acc_p', 'old', '{}', '{}', 3, true, false, 'online', 9),
         ('prv_new', 'acc_p', 'new', '{}', '{}', 3, true, false, 'online', 2);
  INSERT INTO bus_journal (consumer, topic, key, sequence, type, schema_version, data, heard_at_ms)
  SELECT 'matchmaker', 'gridbourse.registry.provider', 'prv_old', n, CASE WHEN n > 2 THEN 'EraClosed' ELSE 'ProviderOnline' END, 1, '{}', 1
  FROM generate_series(1, 9) AS n;`;

/** A database with the migrations up to a number and some rows, brought to the latest form. */
const upgraded = async (
  { upTo, rows }: { upTo: number; rows: string },
  look: (dataSource: DataSource) => Promise<void>,
): Promise<void> => {
  const database = await testDatabase('matchmaker_upgrade');
  const before = await migrate(database.url, [
    ...eventStoreMigrations,
    ...ownMigrations.filter((migration) => numberOf(migration) <= upTo),
  ]);
  await before.query(rows);
  await before.destroy();
  const after = await migrate(database.url, [...eventStoreMigrations, ...ownMigrations]);
  try {
    await look(after);
  } finally {
    await after.destroy();
    await database.drop();
  }
};

const [orderId, leaseId] = [idOf('order', 'old'), idOf('lease', 'old')];
const released = { leaseId, providerId: idOf('provider', 'p'), offerId: idOf('offer', 'o'), atMs: 8 };

/** The first decision was taken before places were stored with events; the second knows its own. */
const OLD_TIMELINE = `
  INSERT INTO orders (order_id, account_id, version, state, name, run, max_rate_micros, duration_seconds, submitted_at_ms, expires_at_ms, warnings, request_hash, live)
  VALUES ('${orderId}', 'acc_a', 2, 'submitted', 'web', 'service', 1, 1, 1, 1, '[]', '', true);
  INSERT INTO leases (lease_id, order_id, account_id, version, group_name, provider_id, offer_id, state, rate_micros, duration_seconds, lock_micros, proposed_at_ms, accept_by_ms, capacity_released)
  VALUES ('${leaseId}', '${orderId}', 'acc_a', 2, 'g', 'prv', 'off', 'lapsed', 1, 1, 1, 1, 1, true);
  INSERT INTO events (stream_id, version, type, schema_version, data, metadata, occurred_at, tx)
  VALUES ('${leaseId}', 1, 'LeaseAccepted', 1, '{"leaseId":"${leaseId}","by":"provider","atMs":5,"fundByMs":9}', '{}', now(), pg_current_xact_id()),
         ('${leaseId}', 2, 'CapacityReleased', 1, '${JSON.stringify(released)}',
          '{"timeline":{"atMs":8,"firstVersion":2,"places":["1099511627777"]}}', now(), pg_current_xact_id());
  INSERT INTO timeline (id, order_id, lease_id, at_ms, type, text, data)
  VALUES (41, '${orderId}', '${leaseId}', 5, 'LeaseAccepted', 'as it was written', '{"atMs": 5}'),
         (1099511627776, '${orderId}', '${leaseId}', 7, 'WorkloadTerminated', 'as it was heard', '{}'),
         (1099511627777, '${orderId}', '${leaseId}', 8, 'CapacityReleased', 'what the lease held is free again', '{"atMs": 8}');`;

const SHOWN = [
  { id: '41', leaseId, atMs: 5, type: 'LeaseAccepted', text: 'as it was written', data: { atMs: 5 } },
  {
    ...{ id: '1099511627776', leaseId, atMs: 7, type: 'WorkloadTerminated' },
    ...{ text: 'as it was heard', data: {} },
  },
  {
    ...{ id: '1099511627777', leaseId, atMs: 8, type: 'CapacityReleased' },
    ...{ text: 'what the lease held is free again', data: released },
  },
];

const OLD_BIDS = `
  INSERT INTO orders (order_id, account_id, version, state, name, run, max_rate_micros, duration_seconds, submitted_at_ms, expires_at_ms, warnings, request_hash, live)
  VALUES ('ord_a', 'acc_a', 1, 'bidding', 'web', 'service', 1, 1, 1, 1, '[]', '', true),
         ('ord_b', 'acc_b', 1, 'bidding', 'web', 'service', 1, 1, 1, 1, '[]', '', true);
  INSERT INTO bids (bid_id, order_id, group_name, provider_id, offer_id, rate_micros, revision, placed_at_ms, valid_until_ms, state, failed)
  VALUES ('bid_1', 'ord_a', 'g', 'prv', 'off', 1, 1, 1, 1, 'sealed', '[]'),
         ('bid_2', 'ord_b', 'g', 'prv', 'off', 1, 1, 1, 1, 'sealed', '[]');`;

describe('a database of the release before', () => {
  it(
    'keeps by what its orders are weighed, and how long its providers have been there',
    () =>
      upgraded({ upTo: 4, rows: OLD_ROWS }, async (after) => {
        expect(
          await after.query(
            'SELECT order_id, profile, weights, workload_class FROM orders ORDER BY order_id',
          ),
        ).toEqual([
          { order_id: 'ord_a', profile: 'fastest', weights: null, workload_class: 'general' },
          { order_id: 'ord_b', profile: 'balanced', weights: null, workload_class: 'general' },
        ]);
        expect(
          await after.query('SELECT provider_id, eras_closed FROM providers ORDER BY provider_id'),
        ).toEqual([
          { provider_id: 'prv_new', eras_closed: 0 },
          { provider_id: 'prv_old', eras_closed: 7 },
        ]);
      }),
    60_000,
  );

  it(
    'shows the timeline that it showed, from rows where events do not know their places',
    () =>
      upgraded({ upTo: 8, rows: OLD_TIMELINE }, async (after) => {
        expect(await after.query('SELECT id FROM timeline ORDER BY id')).toEqual([
          { id: '41' },
          { id: '1099511627776' },
        ]);
        const store = new EventStore({
          ...{ context: 'matchmaker', catalogue: matchmakerCatalogue, clock: systemClock },
        });
        const timelines = new TimelineReader(after, store);
        expect(await timelines.behind(orderId, '0', 10)).toEqual(SHOWN);
        expect(await timelines.behind(orderId, '41', 1)).toEqual(SHOWN.slice(1, 2));
        expect(await timelines.behind(orderId, '1099511627777', 10)).toEqual([]);
        // The release before was still writing when the migration ran.
        await after.query(
          `INSERT INTO timeline (id, order_id, lease_id, at_ms, type, text, data)
         VALUES (1099511627777, $1, $2, 8, 'CapacityReleased', 'what the lease held is free again', '{}')`,
          [orderId, leaseId],
        );
        expect((await timelines.behind(orderId, '0', 10)).map(({ id }) => id)).toEqual(
          SHOWN.map(({ id }) => id),
        );
      }),
    60_000,
  );

  it(
    'knows whose orders its bids are on',
    () =>
      upgraded({ upTo: 11, rows: OLD_BIDS }, async (after) => {
        expect(await after.query('SELECT bid_id, account_id FROM bids ORDER BY bid_id')).toEqual([
          { bid_id: 'bid_1', account_id: 'acc_a' },
          { bid_id: 'bid_2', account_id: 'acc_b' },
        ]);
      }),
    60_000,
  );
});
