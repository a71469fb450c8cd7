import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Harness } from './support/harness.ts';
import { serviceOf } from './support/fixtures.ts';

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
    expect(harness.namespaces()).toEqual([]);
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

  it('ends with its job', async () => {
    const services = [serviceOf({ command: ['sh', '-c', 'sleep 2'] })];
    const { leaseId } = await harness.run({ run: 'job', services });
    const exited = await harness.until(leaseId, 'WorkloadExited');
    expect(exited.exitCode).toBe(0);
    await harness.closeLease(leaseId, 'completed');
    const meter = await harness.until(leaseId, 'MeterClosed');
    expect(meter.totalSeconds).toBeGreaterThanOrEqual(1);
    expect(meter.totalSeconds).toBeLessThanOrEqual(3);
    await harness.until(leaseId, 'WorkloadTerminated');
  });
});
