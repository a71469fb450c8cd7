import { baseConfig } from '@gridbourse/api';
import { z } from 'zod';

const milliseconds = (fallback: number) => z.coerce.number().int().min(1).max(604_800_000).default(fallback);

/** How long each cause may keep a workload from its first Running. */
const startDeadlinesMs = z.object({
  image_pull: milliseconds(300_000),
  unschedulable: milliseconds(120_000),
  crash_loop: milliseconds(180_000),
  quota: milliseconds(60_000),
  no_gpu: milliseconds(120_000),
  /** The cluster refused an object: nothing will change that. */
  invalid_spec: z.coerce.number().int().min(0).default(0),
  cluster_unreachable: milliseconds(600_000),
  /** Whatever the cause, from the request on. Long: images of models have tens of gigabytes. */
  deadline: milliseconds(2_700_000),
});

export const orchestratorConfig = baseConfig.extend({
  /** The HPKE key that kubeconfigs and workload secrets are sealed to: a file's or a variable's JSON. */
  sealingKey: z.object({
    keyId: z.string().min(1),
    publicKey: z.string().min(1),
    privateKey: z.string().min(1),
  }),
  /** Value of the managed-by label: one for each installation of the platform that shares a cluster. */
  managedBy: z
    .string()
    .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/)
    .max(63)
    .default('gridbourse'),

  /** Usage is recorded in windows of at least this length. */
  meterWindowSeconds: z.coerce.number().int().min(1).max(3_600).default(60),
  /** How often each cluster is asked to show all pods of ours, at least twice a window: proof beside the watch. */
  evidenceIntervalMs: milliseconds(10_000),
  startDeadlinesMs: startDeadlinesMs.prefault({}),
  /** How long a workload that ran may stay degraded before it counts as failed. */
  degradedDeadlineMs: milliseconds(900_000),
  /** Without a sign of its cluster for so long, a workload is unknown. */
  unknownAfterMs: milliseconds(45_000),
  /** A closing lease whose cluster cannot be seen: after so long its meter ends at the last proof. */
  meterCloseDeadlineMs: milliseconds(600_000),

  /** Full comparison of leases and namespaces. */
  reconcileIntervalMs: milliseconds(60_000),
  /** How often a workload that is starting, degraded or going away is looked at, beside every change of its cluster. */
  attentionIntervalMs: milliseconds(2_000),
  /** A namespace of ours that no lease is known for is removed after so long. */
  orphanGraceMs: milliseconds(3_600_000),
  /** A namespace that is terminating for so long is alarmed. */
  stuckTerminatingMs: milliseconds(600_000),
  /** Conclusions about more than this share of a cluster's workloads (and more than three) within the window are held. */
  massChangeShare: z.coerce.number().min(0.01).max(1).default(0.3),
  massChangeWindowMs: milliseconds(60_000),
  massChangeHoldMs: milliseconds(300_000),
  /** Leases that are worked on at the same time. */
  concurrency: z.coerce.number().int().min(1).max(256).default(16),

  callDeadlineMs: milliseconds(10_000),
  /** Kubernetes sends a bookmark about every minute. */
  watchIdleMs: milliseconds(90_000),

  ingressDomain: z
    .string()
    .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/)
    .max(120)
    .default('apps.gridbourse.localhost'),
  ingressClassName: z.string().min(1).nullable().default(null),
  ingressNamespace: z.string().min(1).default('ingress-nginx'),
  runtimeClassName: z.string().min(1).nullable().default(null),
  priorityClassName: z.string().min(1).nullable().default(null),
  hardening: z.enum(['baseline', 'restricted']).default('baseline'),
  userNamespaces: z.union([z.boolean(), z.stringbool()]).default(false),
  terminationGraceSeconds: z.coerce.number().int().min(0).max(600).default(30),
  storageClasses: z.record(z.string(), z.string()).default({}),

  /** Following a log ends after so long. */
  logFollowMaxMs: milliseconds(3_600_000),
  /** Logs that one account may follow at the same time. */
  logFollowsPerAccount: z.coerce.number().int().min(1).max(1_000).default(20),
});
export type OrchestratorConfig = z.output<typeof orchestratorConfig>;
