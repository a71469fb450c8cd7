import { z } from 'zod';
import type { ContainerView, PodView } from '../../domain/evidence.ts';
import { LABEL_LEASE, LABEL_SERVICE } from '../../domain/objects/names.ts';
import type { NodeFacts } from '../../domain/objects/object-types.ts';

/** What is read of a cluster's answers; an answer that does not have it proves nothing. */
const time = z.string().transform((text, context) => {
  const instant = Date.parse(text);
  if (Number.isNaN(instant)) context.addIssue(`not a time: ${text.slice(0, 40)}`);
  return instant;
});
const text = z
  .string()
  .nullish()
  .transform((value) => value ?? '');
const labels = z
  .record(z.string(), z.string())
  .nullish()
  .transform((value) => value ?? {});

const metadata = z.object({
  name: z.string(),
  namespace: z.string().optional(),
  uid: z.string(),
  resourceVersion: z.string(),
  creationTimestamp: time,
  deletionTimestamp: time.nullish(),
  deletionGracePeriodSeconds: z.number().nullish(),
  labels,
});

const terminated = z.object({
  exitCode: z.int(),
  reason: text,
  startedAt: time.nullish(),
  finishedAt: time.nullish(),
});

const containerStatus = z.object({
  restartCount: z.int(),
  state: z
    .object({
      waiting: z.object({ reason: text, message: text }).nullish(),
      running: z.object({ startedAt: time.nullish() }).nullish(),
      terminated: terminated.nullish(),
    })
    .nullish(),
  lastState: z.object({ terminated: terminated.nullish() }).nullish(),
});

const condition = z.object({
  type: z.string(),
  status: z.string(),
  reason: text,
  message: text,
  lastTransitionTime: time.nullish(),
});

export const podSchema = z.object({
  metadata,
  status: z
    .object({
      phase: z.enum(['Pending', 'Running', 'Succeeded', 'Failed', 'Unknown']).optional(),
      reason: text,
      message: text,
      conditions: z.array(condition).nullish(),
      containerStatuses: z.array(containerStatus).nullish(),
    })
    .nullish(),
});

export const namespaceSchema = z.object({
  metadata,
  status: z.object({ phase: z.string().optional() }).nullish(),
});

export const nodeSchema = z.object({
  metadata: z.object({ name: z.string(), labels }),
  status: z.object({ capacity: z.record(z.string(), z.union([z.string(), z.number()])).nullish() }).nullish(),
});

export const serviceSchema = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    ports: z
      .array(
        z.object({
          port: z.int(),
          protocol: z.enum(['TCP', 'UDP', 'SCTP']).default('TCP'),
          nodePort: z.int().optional(),
        }),
      )
      .nullish(),
  }),
});

export const eventSchema = z.object({
  metadata: z.object({ name: z.string(), creationTimestamp: time.nullish() }),
  type: text,
  reason: text,
  message: text,
  involvedObject: z.object({ kind: text, name: text }),
  lastTimestamp: time.nullish(),
  eventTime: time.nullish(),
});

/** One page of a list. Items are read one by one, so that the message of a misfit can name it. */
export const listSchema = z.object({
  metadata: z.object({ resourceVersion: z.string(), continue: z.string().optional() }),
  items: z.array(z.unknown()),
});

export type ClusterEvent = { atMs: number; type: string; reason: string; message: string; object: string };

const endOf = (end: z.output<typeof terminated> | null | undefined): ContainerView['lastEnd'] =>
  end ? { startedAtMs: end.startedAt ?? null, finishedAtMs: finishOf(end.finishedAt) } : null;

/** A container that could not be started is reported to have ended at the beginning of time. */
const finishOf = (finishedAt: number | null | undefined): number | null =>
  finishedAt == null || finishedAt <= 0 ? null : finishedAt;

const containerView = (status: z.output<typeof containerStatus>, createdAtMs: number): ContainerView => {
  const { running, terminated: end, waiting } = status.state ?? {};
  const common = { restartCount: status.restartCount, lastEnd: endOf(status.lastState?.terminated) };
  if (running)
    return { ...common, state: { kind: 'running', startedAtMs: running.startedAt ?? createdAtMs } };
  if (end) {
    const { reason, exitCode } = end;
    const times = { startedAtMs: end.startedAt ?? null, finishedAtMs: finishOf(end.finishedAt) };
    return { ...common, state: { kind: 'terminated', reason, exitCode, ...times } };
  }
  return {
    ...common,
    state: { kind: 'waiting', reason: waiting?.reason ?? '', message: waiting?.message ?? '' },
  };
};

export const podView = (pod: z.output<typeof podSchema>): PodView => {
  const { metadata: meta, status } = pod;
  const conditions = status?.conditions ?? [];
  const scheduled = conditions.find(({ type }) => type === 'PodScheduled');
  const ready = conditions.find(({ type }) => type === 'Ready');
  const deletedAtMs =
    meta.deletionTimestamp == null
      ? null
      : meta.deletionTimestamp - (meta.deletionGracePeriodSeconds ?? 0) * 1_000;
  return {
    name: meta.name,
    namespace: meta.namespace ?? '',
    uid: meta.uid,
    service: meta.labels[LABEL_SERVICE] ?? '',
    phase: status?.phase ?? 'Pending',
    reason: status?.reason ?? '',
    message: status?.message ?? '',
    createdAtMs: meta.creationTimestamp,
    deletedAtMs,
    scheduled: {
      done: scheduled?.status === 'True',
      reason: scheduled?.reason ?? '',
      message: scheduled?.message ?? '',
    },
    ready: ready
      ? { is: ready.status === 'True', sinceMs: ready.lastTransitionTime ?? meta.creationTimestamp }
      : null,
    containers: (status?.containerStatuses ?? []).map((each) => containerView(each, meta.creationTimestamp)),
  };
};

export type NamespaceView = {
  readonly name: string;
  readonly uid: string;
  readonly leaseId: string | null;
  readonly createdAtMs: number;
  readonly terminating: boolean;
  /** When its deletion was asked for, by the cluster's clock. */
  readonly deletedAtMs: number | null;
};

export const namespaceView = ({
  metadata: meta,
  status,
}: z.output<typeof namespaceSchema>): NamespaceView => ({
  name: meta.name,
  uid: meta.uid,
  leaseId: meta.labels[LABEL_LEASE] ?? null,
  createdAtMs: meta.creationTimestamp,
  terminating: meta.deletionTimestamp != null || status?.phase === 'Terminating',
  deletedAtMs: meta.deletionTimestamp ?? null,
});

const NVIDIA_RESOURCE = /^nvidia\.com\/(gpu|mig-)/;
const readReplicas = (label: string | undefined): number | null =>
  label !== undefined && /^\d{1,4}$/.test(label) ? Number(label) : null;

export const nodeFacts = ({ metadata: meta, status }: z.output<typeof nodeSchema>): NodeFacts => ({
  hostname: meta.labels['kubernetes.io/hostname'] ?? meta.name,
  gpuProduct: meta.labels['nvidia.com/gpu.product'] ?? null,
  gpuReplicas: readReplicas(meta.labels['nvidia.com/gpu.replicas']),
  gpuResources: Object.entries(status?.capacity ?? {})
    .filter(([name, quantity]) => NVIDIA_RESOURCE.test(name) && !/^0*$/.test(String(quantity)))
    .map(([name]) => name),
});

export const clusterEvent = (event: z.output<typeof eventSchema>): ClusterEvent => ({
  atMs: event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp ?? 0,
  type: event.type,
  reason: event.reason,
  message: event.message,
  object: `${event.involvedObject.kind}/${event.involvedObject.name}`,
});
