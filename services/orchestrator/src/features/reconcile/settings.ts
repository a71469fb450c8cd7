import type { LeaseProposed } from '@gridbourse/events';
import type { WorkloadShape } from '../../domain/evidence.ts';
import type { NodeFacts, ObjectOptions } from '../../domain/objects/object-types.ts';
import type { WorkloadPolicy } from '../../domain/workload-commands.ts';
import type { OrchestratorConfig } from '../../orchestrator.config.ts';

export const policyOf = (config: OrchestratorConfig, lease: LeaseProposed): WorkloadPolicy => ({
  durationSeconds: lease.durationSeconds,
  windowMs: config.meterWindowSeconds * 1_000,
  startDeadlinesMs: { ...config.startDeadlinesMs, vanished: 0 },
  degradedDeadlineMs: config.degradedDeadlineMs,
});

export const objectOptionsOf = (
  config: OrchestratorConfig,
  nodes: Readonly<Record<string, NodeFacts>>,
): ObjectOptions => ({
  managedBy: config.managedBy,
  ingressDomain: config.ingressDomain,
  ingressClassName: config.ingressClassName,
  ingressNamespace: config.ingressNamespace,
  runtimeClassName: config.runtimeClassName,
  priorityClassName: config.priorityClassName,
  hardening: config.hardening,
  userNamespaces: config.userNamespaces,
  terminationGraceSeconds: config.terminationGraceSeconds,
  storageClasses: config.storageClasses,
  nodes,
});

export const shapeOf = (lease: LeaseProposed): WorkloadShape => ({
  run: lease.run,
  services: lease.group.services.map(({ name, replicas }) => ({ name, replicas })),
});
