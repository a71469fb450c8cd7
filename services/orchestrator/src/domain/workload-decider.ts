import type { Decider, Instant, LeaseId } from '@gridbourse/kernel';
import { conflict } from '@gridbourse/kernel';
import { type Evidence, podsOfIncarnation, type Trouble } from './evidence.ts';
import { nextWindow } from './meter.ts';
import type { HealthyProof, WorkloadCommand, WorkloadPolicy } from './workload-commands.ts';
import type { OrchestratorEvent } from './workload-events.ts';
import { everRan, evolve, isOver, noWorkload, type WorkloadState } from './workload.ts';

const MAX_REASON = 500;

/** The events of one decision, and the state as it is after each of them. */
class Draft {
  readonly events: OrchestratorEvent[] = [];
  state: WorkloadState;

  constructor(state: WorkloadState) {
    this.state = state;
  }

  get leaseId(): LeaseId {
    if (this.state.leaseId === null) throw conflict('no_workload', 'there is no workload to decide on');
    return this.state.leaseId;
  }

  add(event: OrchestratorEvent | null): this {
    if (event) {
      this.events.push(event);
      this.state = evolve(this.state, event);
    }
    return this;
  }

  /** Records the open stretch up to an instant: all of it, or only once it has the length of a window. */
  record(untilMs: Instant, policy: WorkloadPolicy, when: 'always' | 'due'): this {
    const { open } = this.state.meter;
    if (when === 'due' && open && untilMs - open.sinceMs < policy.windowMs) return this;
    const { durationSeconds } = policy;
    return this.add(nextWindow(this.state.meter, { leaseId: this.leaseId, untilMs, durationSeconds }));
  }
}

const clamp = (instant: Instant, from: Instant, to: Instant): Instant =>
  Math.max(from, Math.min(instant, to));

/** A container's start may be reported to the second, rounded down. */
const START_TOLERANCE_MS = 2_000;

/**
 * Where the open stretch ended, when the cluster no longer shows the containers that it was of: at the first break
 * that the cluster tells of, if that break ended the very run that was metered; else at the last proof.
 */
const endOfStretch = (
  state: WorkloadState,
  evidence: Evidence | null,
  lastProof: HealthyProof | null,
): Instant => {
  const { open } = state.meter;
  if (!open) return 0;
  const proven =
    lastProof?.incarnation === open.incarnation ? Math.max(lastProof.atMs, open.sinceMs) : open.sinceMs;
  const metered = new Set(podsOfIncarnation(open.incarnation).map(({ uid }) => uid));
  // A pod that is no longer shown took the moment of its end with it.
  if (!evidence || [...metered].some((pod) => !evidence.pods.includes(pod))) return proven;
  const first = evidence.breaks.find(({ pod, atMs }) => metered.has(pod) && atMs > open.sinceMs);
  if (!first) return proven;
  const sameRun = first.startedAtMs === null || first.startedAtMs <= open.sinceMs + START_TOLERANCE_MS;
  return sameRun ? clamp(first.atMs, open.sinceMs, evidence.provenAtMs) : proven;
};

const fail = (draft: Draft, trouble: Trouble, nowMs: Instant): Draft =>
  draft.add({
    type: 'WorkloadFailed',
    leaseId: draft.leaseId,
    phase: everRan(draft.state) ? 'run' : 'start',
    cause: trouble.cause,
    message: trouble.message,
    atMs: nowMs,
  });

/** Starts, keeps or ends the trouble on record, and fails the start when its deadline is over. */
const weighTrouble = (
  draft: Draft,
  trouble: Trouble | null,
  nowMs: Instant,
  policy: WorkloadPolicy,
): Draft => {
  const known = draft.state.trouble;
  if ((known?.cause ?? null) !== (trouble?.cause ?? null)) {
    draft.add({
      type: 'WorkloadTroubled',
      leaseId: draft.leaseId,
      cause: trouble?.cause ?? null,
      message: trouble?.message ?? '',
      atMs: nowMs,
    });
  }
  if (everRan(draft.state)) return draft;
  const current = draft.state.trouble;
  if (current && nowMs - current.sinceMs >= policy.startDeadlinesMs[current.cause]) {
    return fail(draft, trouble ?? current, nowMs);
  }
  const requestedAtMs = draft.state.requestedAtMs ?? nowMs;
  if (nowMs - requestedAtMs >= policy.startDeadlinesMs.deadline) {
    const seconds = Math.round((nowMs - requestedAtMs) / 1_000);
    const why = current ? `${current.cause}: ${current.message}` : 'no reason known';
    return fail(draft, { cause: 'deadline', message: `not running after ${seconds} s (${why})` }, nowMs);
  }
  return draft;
};

type Observe = Extract<WorkloadCommand, { type: 'Observe' }>;

const runsFrom = (draft: Draft, sinceMs: Instant, command: Observe): Draft =>
  draft.add({
    type: 'WorkloadRunning',
    leaseId: draft.leaseId,
    runningSinceMs: sinceMs,
    endpoints: command.endpoints.map((endpoint) => ({ ...endpoint })),
    atMs: command.nowMs,
  });

/** Makes sure that the open stretch is of the containers that run now. */
const followIncarnation = (draft: Draft, sinceMs: Instant, command: Observe): Draft => {
  const { evidence, lastProof, policy } = command;
  const { open } = draft.state.meter;
  if (open?.incarnation === evidence.incarnation) return draft;
  if (open) draft.record(endOfStretch(draft.state, evidence, lastProof), policy, 'always');
  const { incarnation } = evidence;
  return draft.add({ type: 'MeterOpened', leaseId: draft.leaseId, sinceMs, incarnation });
};

/** When the stretch began by the cluster's clock, held within what our own clock knows of it. */
const startOfStretch = (state: WorkloadState, reportedMs: Instant, command: Observe): Instant => {
  const latestMs = Math.min(command.evidence.provenAtMs, command.nowMs);
  const earliestMs = Math.max(state.requestedAtMs ?? 0, state.meter.recordedUntilMs, command.notBeforeMs);
  return Math.min(clamp(reportedMs, earliestMs, latestMs), command.nowMs);
};

const observeHealthy = (draft: Draft, command: Observe): Draft => {
  const { evidence, policy, nowMs } = command;
  const provenAtMs = Math.min(evidence.provenAtMs, nowMs);
  const sinceMs = startOfStretch(draft.state, evidence.healthySinceMs ?? provenAtMs, command);
  if (draft.state.observed !== 'running') runsFrom(draft, sinceMs, command);
  else if (draft.state.trouble) weighTrouble(draft, null, nowMs, policy);
  return followIncarnation(draft, sinceMs, command).record(provenAtMs, policy, 'due');
};

const observeExit = (draft: Draft, exit: NonNullable<Evidence['exit']>, command: Observe): Draft => {
  const { evidence, policy, nowMs } = command;
  const provenAtMs = Math.min(evidence.provenAtMs, nowMs);
  const sinceMs = startOfStretch(draft.state, exit.startedAtMs, command);
  const finishedAtMs = Math.max(sinceMs, Math.min(exit.finishedAtMs, provenAtMs));
  // A short job may be over before it was ever seen to run: it ran all the same.
  if (draft.state.observed !== 'running') runsFrom(draft, sinceMs, command);
  return followIncarnation(draft, sinceMs, command).record(finishedAtMs, policy, 'always').add({
    type: 'WorkloadExited',
    leaseId: draft.leaseId,
    exitCode: exit.exitCode,
    finishedAtMs,
    atMs: nowMs,
  });
};

/** What broke down right after its first Running is treated as if it had never run. */
const HARDLY_RAN_MS = 60_000;

const degradedDeadlineMs = ({ meter, trouble }: WorkloadState, policy: WorkloadPolicy): number =>
  trouble && meter.healthyMs < HARDLY_RAN_MS
    ? Math.min(policy.startDeadlinesMs[trouble.cause], policy.degradedDeadlineMs)
    : policy.degradedDeadlineMs;

const observeBroken = (draft: Draft, command: Observe): Draft => {
  const { evidence, lastProof, policy, nowMs } = command;
  draft.record(endOfStretch(draft.state, evidence, lastProof), policy, 'always');
  if (draft.state.observed !== 'degraded') {
    const reason = evidence.trouble?.message ?? `${evidence.running} of ${evidence.wanted} replicas run`;
    draft.add({
      type: 'WorkloadDegraded',
      leaseId: draft.leaseId,
      running: evidence.running,
      wanted: evidence.wanted,
      reason: reason.slice(0, MAX_REASON),
      atMs: nowMs,
    });
  }
  weighTrouble(draft, evidence.trouble, nowMs, policy);
  const sinceMs = draft.state.degradedSinceMs ?? nowMs;
  if (nowMs - sinceMs < degradedDeadlineMs(draft.state, policy)) return draft;
  const seconds = Math.round((nowMs - sinceMs) / 1_000);
  const why = draft.state.trouble?.message ?? `${evidence.running} of ${evidence.wanted} replicas run`;
  const message = `degraded for ${seconds} s (${why})`;
  return fail(draft, { cause: draft.state.trouble?.cause ?? 'deadline', message }, nowMs);
};

const observeStarting = (draft: Draft, command: Observe): Draft => {
  const phase = command.evidence.pulling ? 'pulling' : 'pending';
  if (draft.state.observed !== phase) {
    draft.add({ type: 'WorkloadStarting', leaseId: draft.leaseId, phase, atMs: command.nowMs });
  }
  return weighTrouble(draft, command.evidence.trouble, command.nowMs, command.policy);
};

const isSettled = (state: WorkloadState): boolean =>
  state.namespace === null || state.desired === 'absent' || state.outcome !== null;

const observe = (command: Observe, state: WorkloadState): Draft => {
  const draft = new Draft(state);
  if (isSettled(state) || state.appliedAtMs === null) return draft;
  if (command.evidence.exit) return observeExit(draft, command.evidence.exit, command);
  if (command.evidence.healthy) return observeHealthy(draft, command);
  return everRan(state) ? observeBroken(draft, command) : observeStarting(draft, command);
};

const stop = (command: Extract<WorkloadCommand, { type: 'StopWorkload' }>, state: WorkloadState): Draft => {
  const { leaseId, reason, atMs, nowMs } = command;
  // A lease that lapsed may turn out to be funded on chain after all, and then closes: its usage must still be told.
  if (state.stop) {
    const told = state.provenAbsentAtMs !== null && !state.meter.closed && reason !== 'lapsed';
    const draft = new Draft(state);
    return told ? draft.add({ type: 'MeterClosed', leaseId, totalSeconds: 0, atMs: nowMs }) : draft;
  }
  const draft = new Draft({ ...state, leaseId }).add({ type: 'WorkloadUnwanted', leaseId, reason, atMs });
  if (state.namespace !== null) return draft;
  if (reason !== 'lapsed') draft.add({ type: 'MeterClosed', leaseId, totalSeconds: 0, atMs: nowMs });
  return draft.add({ type: 'WorkloadTerminated', leaseId, provenAbsentAtMs: nowMs, everCreated: false });
};

const closeMeter = (
  command: Extract<WorkloadCommand, { type: 'CloseMeter' }>,
  state: WorkloadState,
): Draft => {
  const draft = new Draft(state);
  if (state.meter.closed || state.desired !== 'absent' || state.namespace === null) return draft;
  const { evidence, lastProof, nowMs, policy } = command;
  const { open } = state.meter;
  if (open) {
    const sameRun = evidence?.healthy === true && evidence.incarnation === open.incarnation;
    const provenMs = sameRun ? evidence.provenAtMs : endOfStretch(state, evidence, lastProof);
    draft.record(Math.min(provenMs, state.stop?.atMs ?? nowMs, nowMs), policy, 'always');
  }
  const totalSeconds = draft.state.meter.cumulativeSeconds;
  return draft.add({ type: 'MeterClosed', leaseId: draft.leaseId, totalSeconds, atMs: nowMs });
};

const draftOf = (command: WorkloadCommand, state: WorkloadState): Draft => {
  const draft = new Draft(state);
  switch (command.type) {
    case 'RequestWorkload': {
      if (state.namespace !== null || state.stop) return draft;
      const { leaseId, providerId, namespace, nowMs } = command;
      return draft.add({ type: 'WorkloadRequested', leaseId, providerId, namespace, atMs: nowMs });
    }
    case 'ReportApplied': {
      if (isSettled(state) || state.appliedAtMs !== null) return draft;
      const { objects, nowMs } = command;
      return draft.add({ type: 'WorkloadProvisioning', leaseId: draft.leaseId, objects, atMs: nowMs });
    }
    case 'ReportTrouble':
      if (isSettled(state) || everRan(state)) return draft;
      return weighTrouble(draft, command.trouble, command.nowMs, command.policy);
    case 'Observe':
      return observe(command, state);
    case 'LoseSight': {
      if (isSettled(state) || state.observed === 'unknown') return draft;
      const lastSeenAtMs = Math.min(command.lastSeenAtMs, command.nowMs);
      return draft.add({
        type: 'WorkloadUnknown',
        leaseId: draft.leaseId,
        lastSeenAtMs,
        atMs: command.nowMs,
      });
    }
    case 'ReportVanished': {
      if (isSettled(state) || !everRan(state)) return draft;
      draft.record(endOfStretch(state, null, command.lastProof), command.policy, 'always');
      const message = 'its namespace is gone from the cluster, and this platform did not remove it';
      return fail(draft, { cause: 'vanished', message }, command.nowMs);
    }
    case 'StopWorkload':
      return stop(command, state);
    case 'CloseMeter':
      return closeMeter(command, state);
    case 'ReportDeletionAsked':
      if (state.desired !== 'absent' || state.observed === 'terminating' || state.observed === 'absent')
        return draft;
      return draft.add({ type: 'WorkloadTerminating', leaseId: draft.leaseId, atMs: command.nowMs });
    case 'ReportAbsent': {
      if (isOver(state) || state.provenAbsentAtMs !== null) return draft;
      if (state.desired !== 'absent') {
        throw conflict(
          'still_wanted',
          `the workload of ${draft.leaseId} is wanted: its absence is no proof of an end`,
        );
      }
      const { leaseId } = draft;
      const totalSeconds = state.meter.cumulativeSeconds;
      if (!state.meter.closed) draft.add({ type: 'MeterClosed', leaseId, totalSeconds, atMs: command.nowMs });
      const { nowMs: provenAbsentAtMs, everCreated } = command;
      return draft.add({ type: 'WorkloadTerminated', leaseId, provenAbsentAtMs, everCreated });
    }
  }
};

/** Every command is safe to repeat: what is already so gives no event. */
export const workloadDecider: Decider<WorkloadCommand, WorkloadState, OrchestratorEvent> = {
  initial: noWorkload,
  decide: (command, state) => draftOf(command, state).events,
  evolve,
};
