import { nextInt, seededRandom, shuffled } from '@gridbourse/kernel';
import { GridbourseClient } from '@gridbourse/sdk';
import { eventually } from '@gridbourse/testing';
import { expectBooksInOrder, type Finished, PlatformProcess, readWorld } from '@gridbourse/testing/platform';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as pause } from 'node:timers/promises';
import { membersOf } from '@gridbourse/local-platform';

// Real here: everything: Kafka, Redis, Postgres, the chain, each service a process of its own, clusters behind HTTP.

/** Each process is killed once; GRIDBOURSE_CLUSTER_KILLS kills more, GRIDBOURSE_CRASH_SEED repeats a run. */
const SEED = Number(process.env['GRIDBOURSE_CRASH_SEED'] ?? Date.now() % 1_000_000);
const MEMBERS = [
  ...['registry', 'matchmaker', 'orchestrator', 'billing', 'chain-indexer', 'gateway'],
  ...['kafka', 'redis', 'postgres', 'chain'],
] as const;
const KILLS = Number(process.env['GRIDBOURSE_CLUSTER_KILLS'] ?? MEMBERS.length);
const LONGEST_PAUSE_MS = 4_000;
const RECOVERY_MS = 90_000;

describe('the platform as a cluster', () => {
  let platform: PlatformProcess;
  let client: GridbourseClient;

  beforeAll(async () => {
    platform = await PlatformProcess.prepare('cluster');
    await platform.start();
    client = new GridbourseClient({
      origin: platform.origin,
      auth: { apiKey: platform.tenant.apiKey },
      deadlineMs: 60_000,
    });
  }, 300_000);
  afterAll(() => platform.discard(), 120_000);

  const demo = (run: string): Promise<Finished> =>
    platform.cli(['demo', '--json', '--no-start', '--run', run, '--wait-seconds', '300']);

  it('plays the same demo as one process does, and the books agree to the micro', async () => {
    const { code, stdout, stderr } = await demo('cluster');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const report = JSON.parse(stdout.trim().split('\n').at(-1)!) as Record<string, unknown>;
    expect(report).toMatchObject({ breaks: 0, unmatched: 1 });
    expect(report['orders']).toBe((report['matched'] as number) + 1);
    expect(BigInt(report['meterMicros'] as string) > 0n).toBe(true);
    expect(report['ledgerPaidMicros']).toBe(report['meterMicros']);
    expect(report['chainPaidMicros']).toBe(report['meterMicros']);
    await expectBooksInOrder(client);
  }, 400_000);

  it('serves one origin for five processes: documents, health, metrics, gRPC names', async () => {
    const openapi = (await (await fetch(`${platform.origin}/openapi.json`)).json()) as { paths: object };
    for (const path of [
      '/v1/orders',
      '/v1/escrow',
      '/v1/providers',
      '/v1/chain',
      '/v1/workloads/{leaseId}',
    ]) {
      expect(Object.keys(openapi.paths)).toContain(path);
    }
    const ready = (await (await fetch(`${platform.origin}/health/ready`)).json()) as { services: object };
    expect(Object.keys(ready.services).sort()).toEqual(
      ['billing', 'chain-indexer', 'matchmaker', 'orchestrator', 'registry'].sort(),
    );
    for (const service of Object.keys(ready.services)) {
      expect(await (await fetch(`${platform.origin}/services/${service}/metrics`)).text()).toContain('# ');
    }
  });

  it('kills a process by its name, and says what it knows when the name is wrong', async () => {
    const wrong = await platform.command(['--kill', 'nobody']);
    expect(wrong.code).toBe(64);
    expect(wrong.stderr).toContain('there is no process "nobody" (known: billing, chain,');
    const list = await platform.command(['--ps']);
    for (const name of MEMBERS) expect(list.stdout).toMatch(new RegExp(`^${name} +process \\d+$`, 'm'));
  }, 60_000);

  it(`loses nothing and doubles nothing while each process is killed in its turn (seed ${SEED})`, async () => {
    process.stderr.write(`cluster: GRIDBOURSE_CRASH_SEED=${SEED}\n`);
    const random = seededRandom(SEED);
    let over = false;
    const playing = demo(`cluster-${SEED}`).finally(() => (over = true));
    const again: Promise<Finished>[] = [];
    let turn: readonly string[] = [];
    for (let kill = 0; kill < KILLS; kill += 1) {
      if (turn.length === 0) turn = shuffled(random, MEMBERS);
      const [name, ...rest] = turn;
      turn = rest;
      await pause(nextInt(random, LONGEST_PAUSE_MS));
      const killed = await platform.command(['--kill', name!]);
      expect({ name, code: killed.code, stderr: killed.stderr }).toEqual({ name, code: 0, stderr: '' });
      await eventually(
        async () => {
          expect(membersOf(platform.dataDir).filter(({ alive }) => !alive)).toEqual([]);
          expect((await fetch(`${platform.origin}/health/ready`)).status).toBe(200);
        },
        { deadlineMs: RECOVERY_MS, everyMs: 200 },
      );
      if (over && kill + 1 < KILLS) {
        over = false;
        again.push(demo(`cluster-${SEED}-${kill}`).finally(() => (over = true)));
      }
    }
    for (const { code, stderr } of await Promise.all([playing, ...again])) {
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    }
    const { leases } = await readWorld(client);
    expect(leases.filter((lease) => !['closed', 'lapsed', 'rejected'].includes(lease.state))).toEqual([]);
    await expectBooksInOrder(client);
  }, 900_000);

  it('ends in order at Ctrl-C, leaves no process behind, and has all data at the next start', async () => {
    const before = (await readWorld(client)).leases.length;
    await platform.stop('SIGINT');
    expect(membersOf(platform.dataDir).filter(({ alive }) => alive)).toEqual([]);
    await platform.start();
    expect((await readWorld(client)).leases).toHaveLength(before);
    await expectBooksInOrder(client);
  }, 300_000);
});
