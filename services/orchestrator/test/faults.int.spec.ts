import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { LeaseId } from '@gridbourse/kernel';
import { eventually } from '@gridbourse/testing';
import { namespaceOf } from '../src/domain/objects/names.ts';
import { newLeaseId, serviceOf } from './support/fixtures.ts';
import { Harness } from './support/harness.ts';

const expectNoSecondTwice = (harness: Harness, leaseId: LeaseId): void => {
  const windows = harness.usage(leaseId);
  expect(new Set(windows.map(({ usageId }) => usageId)).size).toBe(windows.length);
  for (const [index, window] of windows.slice(1).entries()) {
    expect(window.windowStartMs).toBeGreaterThanOrEqual(windows[index]!.windowEndMs);
    expect(window.cumulativeSeconds).toBe(windows[index]!.cumulativeSeconds + window.seconds);
  }
};

jest.setTimeout(60_000);

// Real: service, Postgres, bus, HTTP. The cluster is kube-sim, which fails as it is told.
describe('a workload in bad times', () => {
  let harness: Harness;

  beforeAll(async () => {
    harness = await Harness.start();
    await harness.attachCluster();
  });
  afterAll(() => harness.close());

  it.each(['refuse', 'hang'] as const)(
    'is unknown while the control plane is away (%s), and then runs on with every second proven',
    async (outage) => {
      const { leaseId } = await harness.run();
      const { runningSinceMs } = await harness.until(leaseId, 'WorkloadRunning');
      await harness.until(leaseId, 'UsageRecorded');
      await harness.sim.faults.takeDown(outage);
      await harness.until(leaseId, 'WorkloadUnknown');
      const recorded = harness.usage(leaseId).length;
      await harness.sim.faults.bringUp();
      await harness.until(leaseId, 'WorkloadRunning', 2);
      await harness.until(leaseId, 'UsageRecorded', recorded + 1);
      expect(harness.types(leaseId)).not.toContain('WorkloadFailed');
      const closedAtMs = await harness.closeLease(leaseId);
      const { totalSeconds } = await harness.until(leaseId, 'MeterClosed');
      expect(totalSeconds).toBe(Math.floor((closedAtMs - runningSinceMs) / 1_000));
      expectNoSecondTwice(harness, leaseId);
      await harness.until(leaseId, 'WorkloadTerminated');
    },
  );

  it('survives a restart: it is adopted, and no second is lost or counted twice', async () => {
    const { leaseId } = await harness.run();
    const { runningSinceMs } = await harness.until(leaseId, 'WorkloadRunning');
    await harness.until(leaseId, 'UsageRecorded');
    const [before] = harness.pods(leaseId);
    await harness.restart();
    await harness.until(leaseId, 'UsageRecorded', harness.usage(leaseId).length + 2);
    expect(harness.pods(leaseId).map((pod) => pod.metadata.uid)).toEqual([before!.metadata.uid]);
    const closedAtMs = await harness.closeLease(leaseId);
    const { totalSeconds } = await harness.until(leaseId, 'MeterClosed');
    expect(totalSeconds).toBe(Math.floor((closedAtMs - runningSinceMs) / 1_000));
    expectNoSecondTwice(harness, leaseId);
    await harness.until(leaseId, 'WorkloadTerminated');
  });

  it('goes on where it was when the service stops in the middle of anything', async () => {
    const starting = await harness.run();
    await harness.until(starting.leaseId, 'WorkloadRequested');
    const closing = await harness.run();
    await harness.until(closing.leaseId, 'WorkloadRunning');
    await harness.restart(async () => {
      await harness.closeLease(closing.leaseId);
    });
    await harness.until(starting.leaseId, 'WorkloadRunning');
    await harness.until(closing.leaseId, 'WorkloadTerminated');
    await harness.closeLease(starting.leaseId);
    await harness.until(starting.leaseId, 'WorkloadTerminated');
  });

  it.each([
    ['cut', () => harness.sim.faults.cutWatches()],
    ['silent', () => harness.sim.faults.silenceWatches()],
    [
      'too old',
      () => {
        harness.sim.faults.compact();
        harness.sim.faults.cutWatches();
      },
    ],
  ])('notices changes though its watch is %s', async (_, fault) => {
    const { leaseId } = await harness.run();
    await harness.until(leaseId, 'WorkloadRunning');
    fault();
    await harness.deletePod(harness.pods(leaseId)[0]!);
    // The new pod's time is a stretch of its own, whether or not the time between was seen.
    await eventually(async () => expect(await harness.stored(leaseId, 'MeterOpened')).toBe(2), {
      deadlineMs: 10_000,
    });
    await harness.closeLease(leaseId);
    await harness.until(leaseId, 'WorkloadTerminated');
    expectNoSecondTwice(harness, leaseId);
  });

  it('draws no conclusion from lists that leave things out, refusals and lost answers', async () => {
    const { leaseId } = await harness.run();
    await harness.until(leaseId, 'UsageRecorded');
    harness.sim.faults.add({ effect: { kind: 'partial-list', keep: 0 } });
    harness.sim.faults.add({ effect: { kind: 'error', status: 500 }, probability: 0.3 });
    harness.sim.faults.add({
      effect: { kind: 'error', status: 429, retryAfterSeconds: 0 },
      probability: 0.2,
    });
    harness.sim.faults.add({ effect: { kind: 'reset', when: 'after' }, probability: 0.2 });
    const second = await harness.run();
    await harness.until(leaseId, 'UsageRecorded', harness.usage(leaseId).length + 3);
    expect(harness.types(leaseId)).not.toContain('WorkloadDegraded');
    expect(harness.types(leaseId)).not.toContain('WorkloadFailed');
    harness.sim.faults.clear();
    await harness.until(second.leaseId, 'WorkloadRunning');
    for (const each of [leaseId, second.leaseId]) {
      await harness.closeLease(each);
      await harness.until(each, 'WorkloadTerminated');
    }
  });

  it('pauses the meter while its machine is lost, and goes on when it is back', async () => {
    const { leaseId } = await harness.run();
    await harness.until(leaseId, 'UsageRecorded');
    harness.sim.faults.loseNode('node-1');
    await harness.until(leaseId, 'WorkloadDegraded');
    const { windowEndMs } = harness.usage(leaseId).at(-1)!;
    harness.sim.faults.restoreNode('node-1');
    const again = await harness.until(leaseId, 'WorkloadRunning', 2);
    expect(again.runningSinceMs).toBeGreaterThan(windowEndMs);
    await harness.closeLease(leaseId);
    await harness.until(leaseId, 'WorkloadTerminated');
    expectNoSecondTwice(harness, leaseId);
  });

  it('closes the meter at the last proof when the provider is lost, and proves absence once it is back', async () => {
    const { leaseId } = await harness.run();
    const { runningSinceMs } = await harness.until(leaseId, 'WorkloadRunning');
    await harness.until(leaseId, 'UsageRecorded');
    await harness.sim.faults.takeDown('refuse');
    const downAtMs = Date.now();
    await harness.until(leaseId, 'WorkloadUnknown');
    await harness.closeLease(leaseId, 'provider_lost');
    const meter = await harness.until(leaseId, 'MeterClosed');
    expect(meter.totalSeconds * 1_000).toBeLessThanOrEqual(downAtMs - runningSinceMs);
    expect(meter.totalSeconds * 1_000).toBeGreaterThan(downAtMs - runningSinceMs - 2_500);
    expect(harness.types(leaseId)).not.toContain('WorkloadTerminated');
    await harness.sim.faults.bringUp();
    await harness.until(leaseId, 'WorkloadTerminated');
    expect(harness.pods(leaseId)).toEqual([]);
  });

  it('is made again when it vanishes before it ran, and has failed when it vanishes after', async () => {
    const { leaseId } = await harness.run();
    await harness.until(leaseId, 'UsageRecorded');
    await harness.cluster('DELETE', `/api/v1/namespaces/${namespaceOf(leaseId)}`);
    const failed = await harness.until(leaseId, 'WorkloadFailed');
    expect([failed.phase, failed.cause]).toEqual(['run', 'vanished']);
    await harness.closeLease(leaseId, 'workload_failed');
    await harness.until(leaseId, 'WorkloadTerminated');

    const slow = await harness.run({ services: [serviceOf({ image: 'ghcr.io/example/does-not-exist:2' })] });
    await harness.until(slow.leaseId, 'WorkloadProvisioning');
    await harness.cluster('DELETE', `/api/v1/namespaces/${namespaceOf(slow.leaseId)}`);
    await harness.until(slow.leaseId, 'WorkloadFailed');
    await harness.closeLease(slow.leaseId, 'start_failed');
    await harness.until(slow.leaseId, 'WorkloadTerminated');
  });

  it('does not believe at once that everything is gone at once', async () => {
    const leases = await Promise.all(Array.from({ length: 6 }, () => harness.run()));
    const ids = leases.map(({ leaseId }) => leaseId);
    await Promise.all(ids.map((leaseId) => harness.until(leaseId, 'WorkloadRunning')));
    const failed = (): LeaseId[] =>
      ids.filter((leaseId) => harness.types(leaseId).includes('WorkloadFailed'));
    for (const leaseId of ids) await harness.cluster('DELETE', `/api/v1/namespaces/${namespaceOf(leaseId)}`);
    await eventually(() => expect(failed()).toHaveLength(3), { deadlineMs: 10_000 });
    await eventually(() => expect(failed()).toHaveLength(6), { deadlineMs: 20_000 });
    const times = ids.flatMap((leaseId) =>
      harness.of(leaseId).filter(({ type }) => type === 'WorkloadFailed'),
    );
    const atMs = times.map((event) => (event as { atMs: number }).atMs).sort((a, b) => a - b);
    expect(atMs[3]! - atMs[2]!).toBeGreaterThan(2_000);
    for (const leaseId of ids) await harness.closeLease(leaseId, 'workload_failed');
    for (const leaseId of ids) await harness.until(leaseId, 'WorkloadTerminated');
  });

  it('removes what bears its label and no lease wants, and nothing else', async () => {
    const { leaseId } = await harness.run();
    await harness.until(leaseId, 'WorkloadRunning');
    const ended = await harness.run();
    await harness.closeLease(ended.leaseId);
    await harness.until(ended.leaseId, 'WorkloadTerminated');
    const labels = { 'app.kubernetes.io/managed-by': 'gridbourse' };
    const make = (name: string, own: object): Promise<unknown> =>
      harness.cluster('POST', '/api/v1/namespaces', { metadata: { name, labels: own } });
    await make(namespaceOf(ended.leaseId), labels);
    await make(namespaceOf(newLeaseId()), labels);
    await make('gb-somebody-elses', {});
    await eventually(
      () => expect(harness.namespaces().sort()).toEqual([namespaceOf(leaseId), 'gb-somebody-elses'].sort()),
      {
        deadlineMs: 10_000,
      },
    );
    expect(harness.types(leaseId)).not.toContain('WorkloadFailed');
    await harness.closeLease(leaseId);
    await harness.until(leaseId, 'WorkloadTerminated');
  });
});
