import type { LeaseProposed } from '@gridbourse/events';
import type { LeaseId } from '@gridbourse/kernel';
import { Injectable } from '@nestjs/common';
import type { ClusterConnection, PodSight } from '../../adapters/kubernetes/cluster-connection.ts';
import { type Evidence, podsOfIncarnation, readEvidence, type Trouble } from '../../domain/evidence.ts';
import { troubleOfClusterEvent, troubleOfPod } from '../../domain/start-trouble.ts';
import type { HealthyProof } from '../../domain/workload-commands.ts';
import type { WorkloadState } from '../../domain/workload.ts';
import { shapeOf } from './settings.ts';

/** Events that are older than this belong to an earlier trouble. */
const FRESH_EVENT_MS = 300_000;
/** Controllers get so long to make their pods before anybody asks why there are none. */
const DIAGNOSE_AFTER_MS = 1_000;
/** A namespace's events are not asked for more often than this. */
const DIAGNOSE_EVERY_MS = 1_000;

/** Turns what a cluster shows into evidence, and remembers how far each metered stretch is proven. */
@Injectable()
export class EvidenceKeeper {
  private readonly proofs = new Map<LeaseId, HealthyProof>();
  private readonly diagnoses = new Map<
    LeaseId,
    { readonly atMs: number; readonly trouble: Trouble | null }
  >();

  private readonly idle = new Map<LeaseId, number>();

  /** When it was last seen not to run; 0 when it never was. */
  notBefore(leaseId: LeaseId): number {
    return this.idle.get(leaseId) ?? 0;
  }

  lastProof(leaseId: LeaseId): HealthyProof | null {
    return this.proofs.get(leaseId) ?? null;
  }

  forget(leaseId: LeaseId): void {
    this.proofs.delete(leaseId);
    this.diagnoses.delete(leaseId);
    this.idle.delete(leaseId);
  }

  /** Evidence from what has been seen already; asks the cluster nothing. */
  glance(lease: LeaseProposed, state: WorkloadState, connection: ClusterConnection): Evidence | null {
    if (state.namespace === null || connection.provenAtMs === 0) return null;
    return this.note(
      lease,
      state,
      readEvidence(shapeOf(lease), connection.sightOf(state.namespace).pods, {
        provenAtMs: connection.provenAtMs,
        podTrouble: troubleOfPod,
      }),
    );
  }

  /**
   * Evidence to decide on. That a pod is missing from a list proves nothing: each pod that is metered and not seen is asked
   * for by name, and what keeps pods from being made is looked up in the cluster's events.
   * @throws KubernetesError when the cluster does not answer: then nothing may be concluded
   */
  async examine(
    lease: LeaseProposed,
    state: WorkloadState,
    connection: ClusterConnection,
    sight: PodSight = connection.sightOf(state.namespace ?? ''),
  ): Promise<Evidence> {
    const namespace = state.namespace ?? '';
    const seen = new Set(sight.pods.map((pod) => pod.uid));
    const missing = podsOfIncarnation(state.meter.open?.incarnation ?? '').filter(
      ({ uid }) => !seen.has(uid),
    );
    const found = await Promise.all(missing.map((pod) => connection.findPod(namespace, pod)));
    const pods = found.some(Boolean) ? connection.sightOf(namespace).pods : sight.pods;
    const shape = shapeOf(lease);
    const { provenAtMs } = sight;
    const first = readEvidence(shape, pods, { provenAtMs, podTrouble: troubleOfPod });
    const isMissingPods =
      !first.healthy && first.exit === null && first.trouble === null && pods.length < first.wanted;
    const unexplained = isMissingPods && provenAtMs - (state.appliedAtMs ?? provenAtMs) > DIAGNOSE_AFTER_MS;
    if (!first.healthy && !first.exit) this.idle.set(lease.leaseId, provenAtMs);
    if (!unexplained) return this.note(lease, state, first);
    const trouble = await this.diagnose(lease.leaseId, namespace, connection, provenAtMs);
    return this.note(
      lease,
      state,
      readEvidence(shape, pods, { provenAtMs, podTrouble: troubleOfPod, trouble }),
    );
  }

  /** The proof of the stretch that is open is kept until the end of that stretch has been decided. */
  private note({ leaseId }: LeaseProposed, { meter }: WorkloadState, evidence: Evidence): Evidence {
    const { healthy, incarnation, provenAtMs } = evidence;
    const known = this.proofs.get(leaseId);
    const isNeeded = known !== undefined && known.incarnation === meter.open?.incarnation;
    const isNews = known?.incarnation === incarnation ? known.atMs < provenAtMs : !isNeeded;
    if (healthy && isNews) this.proofs.set(leaseId, { incarnation, atMs: provenAtMs });
    return evidence;
  }

  private async diagnose(
    leaseId: LeaseId,
    namespace: string,
    connection: ClusterConnection,
    nowMs: number,
  ): Promise<Trouble | null> {
    const known = this.diagnoses.get(leaseId);
    if (known && nowMs - known.atMs < DIAGNOSE_EVERY_MS) return known.trouble;
    let trouble: Trouble | null = null;
    for (const event of await connection.readEvents(namespace)) {
      if (nowMs - event.atMs > FRESH_EVENT_MS) continue;
      trouble = troubleOfClusterEvent(event.reason, event.message) ?? trouble;
    }
    this.diagnoses.set(leaseId, { atMs: nowMs, trouble });
    return trouble;
  }
}
