import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { EventOf, leaseTermChanged } from '@gridbourse/events';
import type { LeaseId } from '@gridbourse/kernel';
import { eventually } from '@gridbourse/testing';
import { Harness } from './support/harness.ts';
import { leaseOf, serviceOf } from './support/fixtures.ts';

const gpu = (model: string, count = 1) => ({
  cpuMillis: 4_000,
  memoryMiB: 16_000,
  gpu: {
    count,
    vendor: 'nvidia' as const,
    sharing: { mode: 'whole' as const },
    models: [{ model, vramMiB: null, interface: null, migProfile: null }],
  },
  volumes: [],
});

const termOf = (leaseId: LeaseId, durationSeconds: number): EventOf<typeof leaseTermChanged> => ({
  ...{ type: 'LeaseTermChanged', leaseId, durationSeconds },
  ...{ lockMicros: 1n, atMs: Date.now() },
});

jest.setTimeout(60_000);

// Real: service, Postgres, bus, HTTP. The cluster is kube-sim.
describe('the life of a workload', () => {
  let harness: Harness;

  beforeAll(async () => {
    harness = await Harness.start();
    await harness.attachCluster();
  });
  afterAll(() => harness.close());

  it('runs, is metered, and ends with proof', async () => {
    const { leaseId } = await harness.run();
    const running = await harness.until(leaseId, 'WorkloadRunning');
    expect(running.runningSinceMs).toBeLessThanOrEqual(running.atMs);
    await harness.until(leaseId, 'UsageRecorded', 2);
    const closedAtMs = await harness.closeLease(leaseId);
    const meter = await harness.until(leaseId, 'MeterClosed');
    const terminated = await harness.until(leaseId, 'WorkloadTerminated');
    expect(terminated.everCreated).toBe(true);
    expect(harness.pods(leaseId)).toEqual([]);
    const usage = harness.usage(leaseId);
    expect(usage.at(-1)!.cumulativeSeconds).toBe(meter.totalSeconds);
    expect(usage.reduce((sum, { seconds }) => sum + seconds, 0)).toBe(meter.totalSeconds);
    expect(usage[0]!.windowStartMs).toBe(running.runningSinceMs);
    expect(usage.at(-1)!.windowEndMs).toBe(closedAtMs);
    expect(harness.types(leaseId).filter((type) => type !== 'UsageRecorded')).toEqual([
      'WorkloadRequested',
      'WorkloadProvisioning',
      'WorkloadRunning',
      'MeterClosed',
      'WorkloadTerminating',
      'WorkloadTerminated',
    ]);
  });

  it('adds little to the time that the cluster itself takes', async () => {
    const beganAtMs = Date.now();
    const { leaseId } = await harness.run();
    const running = await harness.until(leaseId, 'WorkloadRunning');
    // kube-sim at twice its speed takes 60 to 160 ms; the rest is ours and that of two cores under test.
    expect(running.atMs - beganAtMs).toBeLessThan(1_500);
    await harness.closeLease(leaseId);
    await harness.until(leaseId, 'WorkloadTerminated');
  });

  it('ends with its job', async () => {
    const services = [serviceOf({ command: ['sh', '-c', 'sleep 2; exit 3'] })];
    const { leaseId } = await harness.run({ run: 'job', services });
    const exited = await harness.until(leaseId, 'WorkloadExited');
    expect(exited.exitCode).toBe(3);
    await harness.closeLease(leaseId, 'completed');
    const meter = await harness.until(leaseId, 'MeterClosed');
    expect(meter.totalSeconds).toBeGreaterThanOrEqual(1);
    expect(meter.totalSeconds).toBeLessThanOrEqual(3);
    await harness.until(leaseId, 'WorkloadTerminated');
  });

  it('takes a job that was over before anybody looked as one that ran', async () => {
    const { leaseId } = await harness.run({ run: 'job', services: [serviceOf({ command: ['true'] })] });
    await harness.until(leaseId, 'WorkloadExited');
    expect(harness.types(leaseId)).toEqual(expect.arrayContaining(['WorkloadRunning', 'WorkloadExited']));
    await harness.closeLease(leaseId, 'completed');
    expect((await harness.until(leaseId, 'MeterClosed')).totalSeconds).toBeLessThanOrEqual(1);
  });

  it.each([
    ['image_pull', [serviceOf({ image: 'ghcr.io/example/does-not-exist:1' })], 'node-1'],
    ['crash_loop', [serviceOf({ command: ['sh', '-c', 'exit 1'] })], 'node-1'],
    [
      'unschedulable',
      [serviceOf({ resources: { cpuMillis: 900_000, memoryMiB: 64, gpu: null, volumes: [] } })],
      'node-1',
    ],
    ['no_gpu', [serviceOf({ resources: gpu('h100', 9) })], 'gpu-1'],
    ['no_gpu', [serviceOf({ resources: gpu('a100') })], 'gpu-1'],
  ] as const)('fails a start with the cause: %s', async (cause, services, node) => {
    const { leaseId } = await harness.run({ services: [...services], node });
    const failed = await harness.until(leaseId, 'WorkloadFailed');
    expect([failed.phase, failed.cause]).toEqual(['start', cause]);
    expect(failed.message).not.toBe('');
    await harness.closeLease(leaseId, 'start_failed');
    expect((await harness.until(leaseId, 'MeterClosed')).totalSeconds).toBe(0);
    await harness.until(leaseId, 'WorkloadTerminated');
  });

  it('gives GPUs of the machine that the lease was placed on', async () => {
    const { leaseId } = await harness.run({
      services: [serviceOf({ resources: gpu('h100', 2) })],
      node: 'gpu-1',
    });
    await harness.until(leaseId, 'WorkloadRunning');
    expect(harness.pods(leaseId).map((pod) => pod.spec.nodeName)).toEqual(['gpu-1']);
    await harness.closeLease(leaseId);
    await harness.until(leaseId, 'WorkloadTerminated');
  });

  const leaseOfSlots = (slotsPerGpu: number, node: string): Parameters<Harness['run']>[0] => {
    const asked = gpu('l4', 2);
    return {
      services: [
        serviceOf({
          resources: { ...asked, gpu: { ...asked.gpu, sharing: { mode: 'shared', milli: 1 } } },
        }),
      ],
      node,
      gpu: {
        ...{ model: 'l4', vendor: 'nvidia', vramMiB: 24_576, interface: 'pcie' },
        sharing: { mode: 'shared', slotsPerGpu },
      },
    };
  };

  it('gives slots of a machine that shares its GPUs', async () => {
    const { leaseId } = await harness.run(leaseOfSlots(4, 'slots-1'));
    await harness.until(leaseId, 'WorkloadRunning');
    const [pod] = harness.pods(leaseId);
    expect(pod!.spec.nodeName).toBe('slots-1');
    expect(pod!.spec.containers[0]!.resources!.requests).toMatchObject({ 'nvidia.com/gpu': '2' });
    await harness.closeLease(leaseId);
    await harness.until(leaseId, 'WorkloadTerminated');
  });

  it.each([
    ['slots from whole GPUs', leaseOfSlots(4, 'whole-1')],
    ['smaller slots', leaseOfSlots(2, 'slots-1')],
    ['whole GPUs from slots', { services: [serviceOf({ resources: gpu('l4') })], node: 'slots-1' }],
  ])('never takes %s', async (_, change) => {
    const { leaseId } = await harness.run(change);
    const failed = await harness.until(leaseId, 'WorkloadFailed');
    expect([failed.phase, failed.cause]).toEqual(['start', 'no_gpu']);
    expect(harness.pods(leaseId)).toEqual([]);
    await harness.closeLease(leaseId, 'start_failed');
    await harness.until(leaseId, 'WorkloadTerminated');
  });

  it('closes during provisioning, and still ends in proof', async () => {
    const { leaseId } = await harness.run();
    await harness.closeLease(leaseId);
    await harness.until(leaseId, 'WorkloadTerminated');
    expect((await harness.until(leaseId, 'MeterClosed')).totalSeconds).toBe(0);
    expect(harness.types(leaseId)).not.toContain('WorkloadRunning');
    expect(harness.pods(leaseId)).toEqual([]);
  });

  it('says that nothing was created of a lease that closes before it is funded', async () => {
    const { leaseId } = await harness.propose();
    await harness.closeLease(leaseId);
    expect((await harness.until(leaseId, 'WorkloadTerminated')).everCreated).toBe(false);
    expect((await harness.until(leaseId, 'MeterClosed')).totalSeconds).toBe(0);
  });

  it('pauses the meter while a replica is replaced', async () => {
    const services = [serviceOf({ replicas: 2 })];
    const { leaseId } = await harness.run({ services });
    await harness.until(leaseId, 'UsageRecorded');
    await harness.deletePod(harness.pods(leaseId)[0]!);
    const degraded = await harness.until(leaseId, 'WorkloadDegraded');
    expect(degraded.wanted).toBe(2);
    const again = await harness.until(leaseId, 'WorkloadRunning', 2);
    await harness.until(leaseId, 'UsageRecorded', harness.usage(leaseId).length + 1);
    const windows = harness.usage(leaseId);
    for (const [index, window] of windows.slice(1).entries()) {
      expect(window.windowStartMs).toBeGreaterThanOrEqual(windows[index]!.windowEndMs);
    }
    const before = windows.filter(({ windowEndMs }) => windowEndMs <= degraded.atMs).at(-1)!;
    const after = windows.find(({ windowStartMs }) => windowStartMs >= before.windowEndMs)!;
    expect(after.windowStartMs).toBe(again.runningSinceMs);
    await harness.closeLease(leaseId);
    await harness.until(leaseId, 'WorkloadTerminated');
  });

  it('bills no more than the duration', async () => {
    const { leaseId } = await harness.run({ durationSeconds: 2 });
    await eventually(() => harness.usage(leaseId).at(-1)?.cumulativeSeconds === 2, { deadlineMs: 10_000 });
    await harness.closeLease(leaseId, 'escrow_exhausted');
    expect((await harness.until(leaseId, 'MeterClosed')).totalSeconds).toBe(2);
    await harness.until(leaseId, 'WorkloadTerminated');
  });

  it('bills up to the longer term of a lease that was extended, heard before the proposal or at its very end', async () => {
    const lease = leaseOf({ providerId: harness.providerId, durationSeconds: 1 });
    const { leaseId } = lease;
    const extend = (durationSeconds: number): Promise<void> =>
      harness.publish(termOf(leaseId, durationSeconds), leaseId);
    const counted = (seconds: number): Promise<unknown> =>
      eventually(() => harness.usage(leaseId).at(-1)?.cumulativeSeconds === seconds, { deadlineMs: 15_000 });
    await extend(2);
    await harness.publish(lease, leaseId);
    await harness.fund(leaseId);
    await counted(2);
    await extend(3);
    await counted(3);
    await harness.closeLease(leaseId, 'escrow_exhausted');
    expect((await harness.until(leaseId, 'MeterClosed')).totalSeconds).toBe(3);
    await harness.until(leaseId, 'WorkloadTerminated');
  });
});
