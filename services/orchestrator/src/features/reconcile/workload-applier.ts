import { SERVICE_CONFIG } from '@gridbourse/api';
import type { LeaseProposed } from '@gridbourse/events';
import { DomainError, type LeaseId } from '@gridbourse/kernel';
import { Inject, Injectable } from '@nestjs/common';
import { namespaceSchema, namespaceView } from '../../adapters/kubernetes/cluster-schemas.ts';
import type { ClusterConnection } from '../../adapters/kubernetes/cluster-connection.ts';
import { isAboutTheCluster, KubernetesError } from '../../adapters/kubernetes/kubernetes-error.ts';
import { LeaseFacts } from '../../adapters/lease-facts.ts';
import type { Trouble } from '../../domain/evidence.ts';
import type { KubernetesObject } from '../../domain/objects/object-types.ts';
import { endpointsOf, usesNodePorts } from '../../domain/objects/services.ts';
import { allObjects, type WorkloadObjects, workloadObjects } from '../../domain/objects/workload-objects.ts';
import { troubleOfRefusal } from '../../domain/start-trouble.ts';
import type { Endpoint } from '../../domain/workload.ts';
import type { OrchestratorConfig } from '../../orchestrator.config.ts';
import { objectOptionsOf } from './settings.ts';

export type Applied =
  | { readonly kind: 'applied'; readonly objects: number }
  /** The lease ended meanwhile: what was created so far is for the tear-down to find. */
  | { readonly kind: 'stopped' }
  /** A namespace of that name is still going away. */
  | { readonly kind: 'wait' }
  | { readonly kind: 'trouble'; readonly trouble: Trouble };

const OBJECTS_AT_ONCE = 8;
const CAUSES: Readonly<Record<string, Trouble['cause']>> = { gpu_mismatch: 'no_gpu' };

const isBeingTerminated = (error: unknown): boolean =>
  error instanceof KubernetesError && error.status === 403 && /being terminated/.test(error.message);

const troubleOf = (error: unknown): Trouble => {
  if (error instanceof DomainError) {
    return { cause: CAUSES[error.code] ?? 'invalid_spec', message: error.message.slice(0, 500) };
  }
  if (!(error instanceof KubernetesError)) throw error;
  if (!isAboutTheCluster(error)) return troubleOfRefusal(error.status, error.message);
  return { cause: 'cluster_unreachable', message: error.message.slice(0, 500) };
};

/** Makes the objects of a lease so in its cluster. Every step may be repeated. */
@Injectable()
export class WorkloadApplier {
  constructor(
    private readonly leases: LeaseFacts,
    @Inject(SERVICE_CONFIG) private readonly config: OrchestratorConfig,
  ) {}

  /** @param isWanted asked before each stage, so that a lease which ends now is not built any further */
  async apply(
    leaseId: LeaseId,
    connection: ClusterConnection | undefined,
    isWanted: () => Promise<boolean>,
  ): Promise<Applied> {
    if (!connection) {
      const message = 'the provider has no cluster attached that can be used';
      return { kind: 'trouble', trouble: { cause: 'cluster_unreachable', message } };
    }
    try {
      const objects = await this.objectsOf(leaseId, connection);
      if (!(await isWanted())) return { kind: 'stopped' };
      const namespace = namespaceSchema.parse(await connection.api.apply(objects.namespace));
      if (namespaceView(namespace).terminating) return { kind: 'wait' };
      for (const stage of [objects.guards, objects.running]) {
        if (!(await isWanted())) return { kind: 'stopped' };
        await applyAll(connection, stage);
      }
      return { kind: 'applied', objects: allObjects(objects).length };
    } catch (error) {
      if (isBeingTerminated(error)) return { kind: 'wait' };
      return { kind: 'trouble', trouble: troubleOf(error) };
    }
  }

  /** Where the tenant reaches its services. Node ports are asked of the cluster. @throws KubernetesError */
  async endpoints(
    lease: LeaseProposed,
    connection: ClusterConnection,
    namespace: string,
  ): Promise<Endpoint[]> {
    const nodePortOf = usesNodePorts(lease) ? await connection.readNodePorts(namespace) : () => null;
    return endpointsOf(lease, objectOptionsOf(this.config, {}), nodePortOf);
  }

  private async objectsOf(leaseId: LeaseId, connection: ClusterConnection): Promise<WorkloadObjects> {
    const lease = await this.leases.get(leaseId);
    const [secrets, nodes] = await Promise.all([this.leases.openSecrets(lease), connection.readNodes()]);
    return workloadObjects(lease, secrets, objectOptionsOf(this.config, nodes));
  }
}

const applyAll = async (
  connection: ClusterConnection,
  objects: readonly KubernetesObject[],
): Promise<void> => {
  for (let i = 0; i < objects.length; i += OBJECTS_AT_ONCE) {
    await Promise.all(objects.slice(i, i + OBJECTS_AT_ONCE).map((object) => connection.api.apply(object)));
  }
};
