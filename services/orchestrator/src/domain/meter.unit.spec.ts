import { describe, expect, it } from '@jest/globals';
import type { LeaseId, ProviderId } from '@gridbourse/kernel';
import fc from 'fast-check';
import type { Evidence } from './evidence.ts';
import type { HealthyProof, WorkloadPolicy } from './workload-commands.ts';
import { workloadDecider } from './workload-decider.ts';
import type { OrchestratorEvent } from './workload-events.ts';
import { isOver, observedTransitions, type WorkloadState } from './workload.ts';

const leaseId = 'lea_00000000000000000000000001' as LeaseId;
const providerId = 'prv_00000000000000000000000001' as ProviderId;
const START = 1_700_000_000_000;

/** What happens to the one pod of the workload, and to those who watch it. */
type Step =
  | { kind: 'pass'; ms: number }
  | { kind: 'look' }
  | { kind: 'crash' }
  | { kind: 'replace' }
  | { kind: 'sight'; lost: boolean }
  | { kind: 'forget' }
  | { kind: 'again' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 90_000 }) }),
  },
  { weight: 4, arbitrary: fc.constant({ kind: 'look' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'crash' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'replace' as const }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('sight' as const), lost: fc.boolean() }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'forget' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'again' as const }) },
);

/** The true course of things beside what the service makes of it. */
class World {
  nowMs = START;
  state: WorkloadState;
  readonly events: OrchestratorEvent[] = [];
  private readonly truth: { fromMs: number; toMs: number | null }[] = [{ fromMs: START, toMs: null }];
  private pod = 1;
  private restarts = 0;
  private lastEnd: { atMs: number; startedAtMs: number } | null = null;
  private lost = false;
  private lastProof: HealthyProof | null = null;
  private lastCommand: Parameters<typeof workloadDecider.decide>[0] | null = null;

  constructor(private readonly policy: WorkloadPolicy) {
    this.state = workloadDecider.initial;
    this.decide({ type: 'RequestWorkload', leaseId, providerId, namespace: 'gb-x', nowMs: START });
    this.decide({ type: 'ReportApplied', objects: 1, nowMs: START });
  }

  decide(command: Parameters<typeof workloadDecider.decide>[0]): void {
    this.lastCommand = command;
    for (const event of workloadDecider.decide(command, this.state)) {
      const before = this.state.observed;
      this.state = workloadDecider.evolve(this.state, event);
      if (before !== this.state.observed && event.type !== 'WorkloadRequested') {
        expect(observedTransitions[before]).toContain(this.state.observed);
      }
      this.events.push(event);
    }
    // A snapshot is JSON and back.
    this.state = JSON.parse(JSON.stringify(this.state)) as WorkloadState;
  }

  evidence(): Evidence {
    const { fromMs } = this.truth.at(-1)!;
    const uid = `uid-${this.pod}`;
    return {
      provenAtMs: this.nowMs,
      services: [],
      wanted: 1,
      running: 1,
      healthy: true,
      healthySinceMs: fromMs,
      incarnation: `pod-${this.pod}/${uid}#${this.restarts}`,
      breaks: this.lastEnd ? [{ pod: uid, ...this.lastEnd }] : [],
      pods: [uid],
      exit: null,
      pulling: false,
      trouble: null,
    };
  }

  take(event: Step): void {
    switch (event.kind) {
      case 'pass':
        this.nowMs += event.ms;
        return;
      case 'look': {
        if (this.lost) return this.decide({ type: 'LoseSight', lastSeenAtMs: START, nowMs: this.nowMs });
        const evidence = this.evidence();
        const { lastProof, policy, nowMs } = this;
        this.decide({ type: 'Observe', evidence, lastProof, notBeforeMs: 0, endpoints: [], nowMs, policy });
        this.lastProof = { incarnation: evidence.incarnation, atMs: nowMs };
        return;
      }
      case 'crash':
        this.stopRun();
        this.restarts += 1;
        return;
      case 'replace':
        this.stopRun();
        this.lastEnd = null;
        this.pod += 1;
        this.restarts = 0;
        return;
      case 'sight':
        this.lost = event.lost;
        return;
      case 'forget': // the service restarts: what was only in memory is gone
        this.lastProof = null;
        return;
      case 'again': // the same command is handled once more
        if (this.lastCommand) this.decide(this.lastCommand);
    }
  }

  close(withEvidence: boolean): void {
    const { nowMs, policy, lastProof } = this;
    this.decide({ type: 'StopWorkload', leaseId, reason: 'tenant', atMs: nowMs, nowMs });
    this.nowMs += 5_000;
    const evidence = withEvidence ? this.evidence() : null;
    this.decide({ type: 'CloseMeter', evidence, lastProof, nowMs: this.nowMs, policy });
    this.decide({ type: 'ReportAbsent', everCreated: true, nowMs: this.nowMs });
  }

  /** Milliseconds of [fromMs, toMs) in which the pod truly ran. */
  ran(fromMs: number, toMs: number): number {
    return this.truth.reduce((sum, run) => {
      const from = Math.max(run.fromMs, fromMs);
      const to = Math.min(run.toMs ?? Number.POSITIVE_INFINITY, toMs);
      return sum + Math.max(0, to - from);
    }, 0);
  }

  private stopRun(): void {
    const run = this.truth.at(-1)!;
    run.toMs = this.nowMs;
    this.lastEnd = { atMs: this.nowMs, startedAtMs: run.fromMs };
    this.nowMs += 3_000;
    this.truth.push({ fromMs: this.nowMs, toMs: null });
  }
}

describe('the meter', () => {
  it('counts healthy seconds once, none that was not, and never more than the duration', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60 }),
        fc.integer({ min: 1, max: 2_000 }),
        fc.integer({ min: 1, max: 60_000 }),
        fc.boolean(),
        (steps, durationSeconds, windowMs, withEvidence) => {
          const startDeadlinesMs = {
            ...{ image_pull: 1, unschedulable: 1, crash_loop: 1, quota: 1, no_gpu: 1, invalid_spec: 1 },
            ...{ cluster_unreachable: 1e9, deadline: 1e9, vanished: 1 },
          };
          const world = new World({ durationSeconds, windowMs, startDeadlinesMs, degradedDeadlineMs: 1e9 });
          for (const each of steps) world.take(each);
          const endMs = world.nowMs;
          world.close(withEvidence);

          const windows = world.events.filter((event) => event.type === 'UsageRecorded');
          let untilMs = 0;
          let healthyMs = 0;
          let cumulative = 0;
          const ids = new Set<string>();
          for (const window of windows) {
            expect(window.windowStartMs).toBeGreaterThanOrEqual(untilMs);
            expect(window.windowEndMs).toBeGreaterThan(window.windowStartMs);
            // Not a millisecond in it that was not run.
            const lengthMs = window.windowEndMs - window.windowStartMs;
            expect(world.ran(window.windowStartMs, window.windowEndMs)).toBe(lengthMs);
            expect(ids.has(window.usageId)).toBe(false);
            ids.add(window.usageId);
            untilMs = window.windowEndMs;
            healthyMs += lengthMs;
            cumulative += window.seconds;
            expect(window.cumulativeSeconds).toBe(cumulative);
            expect(cumulative).toBe(Math.floor(healthyMs / 1_000));
          }
          expect(cumulative).toBeLessThanOrEqual(durationSeconds);
          expect(untilMs).toBeLessThanOrEqual(endMs);
          const closed = world.events.filter((event) => event.type === 'MeterClosed');
          expect(closed.map(({ totalSeconds }) => totalSeconds)).toEqual([cumulative]);
          expect(world.events.findLastIndex((event) => event.type === 'UsageRecorded')).toBeLessThan(
            world.events.indexOf(closed[0]!),
          );
          expect(isOver(world.state)).toBe(true);
        },
      ),
      { numRuns: 400 },
    );
  });

  it('loses nothing of a run that went on to the end, whoever looked away and whatever was restarted meanwhile', () => {
    fc.assert(
      fc.property(
        fc.array(
          step.filter(({ kind }) => kind !== 'crash' && kind !== 'replace'),
          { maxLength: 40 },
        ),
        (steps) => {
          const startDeadlinesMs = {
            ...{ image_pull: 1, unschedulable: 1, crash_loop: 1, quota: 1, no_gpu: 1, invalid_spec: 1 },
            ...{ cluster_unreachable: 1e9, deadline: 1e9, vanished: 1 },
          };
          const policy = {
            durationSeconds: 1e6,
            windowMs: 60_000,
            startDeadlinesMs,
            degradedDeadlineMs: 1e9,
          };
          const world = new World(policy);
          world.take({ kind: 'look' });
          for (const each of steps) world.take(each);
          const endMs = world.nowMs;
          world.close(true);
          expect(world.state.meter.cumulativeSeconds).toBe(Math.floor((endMs - START) / 1_000));
        },
      ),
    );
  });
});
