import { ReadModelOperations } from '@gridbourse/api';
import type { DomainEvent } from '@gridbourse/events';
import type { LeaseId } from '@gridbourse/kernel';
import { eventually, spoilAndRebuild, tableRows } from '@gridbourse/testing';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { DataSource } from 'typeorm';
import { newOrderId, serviceOf } from './support/fixtures.ts';
import { Harness } from './support/harness.ts';

// Real: service, Postgres, bus, HTTP, and the rebuilds. The cluster is kube-sim; the other services are played.

jest.setTimeout(120_000);

const MODELS = [
  { name: 'accounts', spoil: [`UPDATE accounts SET name = 'wrong'`] },
  {
    name: 'leases',
    spoil: [
      `UPDATE leases SET account_id = 'wrong', duration_seconds = 1, funded_at_ms = 7, erased_at_ms = NULL`,
      `UPDATE workloads SET version = 99, state = '{}', is_over = NOT is_over`,
    ],
  },
  { name: 'clusters', spoil: [`UPDATE clusters SET api_server = 'wrong', offline_since_ms = 7`] },
];

let harness: Harness;
const database = (): DataSource => harness.service.app.get(DataSource);
const operations = (): ReadModelOperations => harness.service.app.get(ReadModelOperations);

const lapse = (leaseId: LeaseId): Promise<void> =>
  harness.publish(
    { type: 'LeaseLapsed', leaseId, reason: 'order_cancelled', detail: '', atMs: Date.now() } as DomainEvent,
    leaseId,
  );
const extend = (leaseId: LeaseId): Promise<void> =>
  harness.publish(
    { type: 'LeaseTermChanged', leaseId, durationSeconds: 7_200, lockMicros: 1n, atMs: 3 } as DomainEvent,
    leaseId,
  );
const sayOfProvider = (event: object): Promise<void> =>
  harness.publish({ providerId: harness.providerId, ...event } as unknown as DomainEvent, harness.providerId);

const withSecrets = async (): Promise<LeaseId> => {
  const orderId = newOrderId();
  const secrets = await harness.sealed(
    { services: { web: { env: { TOKEN: 'planted' }, imageCredentials: null } } },
    orderId,
  );
  const { leaseId } = await harness.run({ orderId, secrets, services: [serviceOf({ envNames: ['TOKEN'] })] });
  return leaseId;
};
const end = async (leaseId: LeaseId): Promise<void> => {
  await harness.closeLease(leaseId);
  await harness.until(leaseId, 'WorkloadTerminated');
};
const erased = (leaseIds: readonly LeaseId[]): Promise<unknown> =>
  eventually(async () => {
    const rows = await database().query<unknown[]>(
      'SELECT FROM leases WHERE lease_id = ANY($1) AND erased_at_ms IS NOT NULL',
      [leaseIds],
    );
    return rows.length === leaseIds.length;
  });

beforeAll(async () => {
  harness = await Harness.start();
  await harness.account();
  await sayOfProvider({ type: 'ProviderOffline', lastSeenAtMs: 1, atMs: 2 }); // of a cluster that nobody knows yet
  await harness.attachCluster();
}, 60_000);
afterAll(() => harness.close());

describe('read models of the orchestrator', () => {
  it('are byte for byte the same when they are made anew', async () => {
    const ended = await withSecrets();
    await harness.until(ended, 'WorkloadRunning');
    await extend(ended);
    await eventually(
      async () =>
        (await database().query<unknown[]>('SELECT FROM leases WHERE duration_seconds = 7200')).length === 1,
    );
    await end(ended);
    const { leaseId: lapsed } = await harness.propose();
    await lapse(lapsed);
    const job = await harness.run({ run: 'job', services: [serviceOf({ command: ['true'] })] });
    await harness.until(job.leaseId, 'WorkloadExited');
    await end(job.leaseId);
    await harness.propose(); // and nothing more is heard of it
    await sayOfProvider({ type: 'ProviderOffline', lastSeenAtMs: 3, atMs: 4 });
    await sayOfProvider({ type: 'ProviderOnline', atMs: 5 });
    await sayOfProvider({ type: 'ProviderOffline', lastSeenAtMs: 6, atMs: 7 });
    await eventually(async () => {
      const [row] = await database().query<{ offline_since_ms: string | null }[]>('SELECT * FROM clusters');
      return row?.offline_since_ms === '7';
    });
    await erased([ended, job.leaseId, lapsed]);
    expect((await operations().list()).map(({ name }) => name)).toEqual(MODELS.map(({ name }) => name));
    for (const model of MODELS) {
      const { before, after } = await spoilAndRebuild(database(), operations(), model);
      for (const rows of Object.values(before)) expect(rows.length).toBeGreaterThan(0);
      expect({ name: model.name, ...after }).toEqual({ name: model.name, ...before });
    }
    expect(await harness.dump()).not.toContain('"ciphertext"');
  });

  it('lose nothing of what is heard, decided and erased meanwhile', async () => {
    await sayOfProvider({ type: 'ProviderOnline', atMs: 8 });
    const leaseId = await withSecrets();
    await harness.until(leaseId, 'WorkloadRunning');
    const early = await withSecrets();
    await harness.until(early, 'WorkloadRunning');
    // The meters run, a lease ends and another one begins while the tables are made and exchanged, over and over.
    let over = false;
    const rebuilding = (async (): Promise<number> => {
      let rounds = 0;
      for (; !over; rounds += 1) {
        await operations().start('leases');
        await eventually(async () => !(await operations().find('leases')).running);
        expect((await operations().find('leases')).failure).toBeNull();
      }
      return rounds;
    })();
    await end(leaseId);
    const late = await withSecrets();
    await harness.until(late, 'WorkloadRunning');
    await harness.until(early, 'UsageRecorded', 2);
    await Promise.all([end(early), end(late)]);
    await erased([leaseId, early, late]);
    over = true;
    expect(await rebuilding).toBeGreaterThan(1);
    const served = await tableRows(database(), ['leases', 'workloads']);
    const { before, after } = await spoilAndRebuild(database(), operations(), MODELS[1]!);
    expect(before).toEqual(served);
    expect(after).toEqual(served);
    expect(await harness.dump()).not.toContain('"ciphertext"');
  });

  it('serve the service when it starts anew', async () => {
    const before = await tableRows(database(), ['leases', 'workloads', 'clusters']);
    await harness.restart();
    const { leaseId } = await harness.run();
    await harness.until(leaseId, 'WorkloadRunning');
    await end(leaseId);
    const after = await tableRows(database(), ['leases', 'workloads', 'clusters']);
    expect(after['clusters']).toEqual(before['clusters']);
    for (const line of before['workloads']!) expect(after['workloads']).toContain(line);
  });
});
