import { SERVICE_CONFIG } from '@gridbourse/api';
import { EventStore } from '@gridbourse/event-store';
import {
  leaseProposed,
  type LeaseProposed,
  topicOf,
  workloadSecrets,
  type WorkloadSecrets,
} from '@gridbourse/events';
import { DomainError, type LeaseId } from '@gridbourse/kernel';
import { open } from '@gridbourse/sealing';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { LeaseSecretsErased } from '../domain/lease-events.ts';
import type { OrchestratorConfig } from '../orchestrator.config.ts';
import { eraseSecretsOfRows, proposalOf } from '../read-models/lease-rows.ts';
import { LeaseEntity } from '../read-models/lease.entity.ts';

const CACHED_LEASES = 5_000;

/** What leases are for, as they were proposed. */
@Injectable()
export class LeaseFacts {
  private readonly cache = new Map<LeaseId, LeaseProposed>();

  constructor(
    private readonly dataSource: DataSource,
    private readonly events: EventStore<LeaseSecretsErased>,
    @Inject(SERVICE_CONFIG) private readonly config: OrchestratorConfig,
  ) {}

  /** Its term has changed, and the transaction that says so has committed. */
  termChanged(leaseId: LeaseId): void {
    this.cache.delete(leaseId);
  }

  /** @returns null when the lease was never proposed to this service */
  async find(leaseId: LeaseId): Promise<LeaseProposed | null> {
    const cached = this.cache.get(leaseId);
    if (cached) return cached;
    const row = await this.dataSource.getRepository(LeaseEntity).findOneBy({ leaseId });
    if (!row) return null;
    const proposal = proposalOf(row);
    if (this.cache.size >= CACHED_LEASES) this.cache.delete(this.cache.keys().next().value!);
    this.cache.set(leaseId, proposal);
    return proposal;
  }

  /** As `find`, and it must be there. @throws DomainError `lease_not_kept`: a fault of ours */
  async get(leaseId: LeaseId): Promise<LeaseProposed> {
    const proposal = await this.find(leaseId);
    if (!proposal) throw new DomainError('internal', 'lease_not_kept', `lease ${leaseId} is not kept here`);
    return proposal;
  }

  /**
   * Env values and registry credentials, in the clear: to be handed to the cluster, and to nobody else.
   * @throws DomainError `sealed_box_damaged`, `sealed_to_another_key`, `invalid_secrets`
   */
  async openSecrets(proposal: LeaseProposed): Promise<WorkloadSecrets | null> {
    if (proposal.secrets === null) return null;
    // Sealed for the order, before any lease of it was known.
    const bytes = await open(this.config.sealingKey.privateKey, proposal.secrets, proposal.orderId);
    try {
      return workloadSecrets.parse(JSON.parse(new TextDecoder().decode(bytes)));
    } catch {
      // Nothing of the cause is told: it would quote the secret.
      throw new DomainError(
        'invalid',
        'invalid_secrets',
        `the secrets of lease ${proposal.leaseId} have another form`,
      );
    }
  }

  /** Once nothing will be started for the lease any more, its secrets are not kept. */
  async eraseSecrets(leaseId: LeaseId, nowMs: number): Promise<void> {
    this.cache.delete(leaseId);
    await this.erase([leaseId], nowMs);
  }

  /** Catches up with the leases that were over when the process ended before it could erase. */
  async eraseFinished(nowMs: number): Promise<void> {
    const rows = await this.dataSource.query<{ lease_id: LeaseId }[]>(TO_ERASE);
    if (rows.length > 0) {
      await this.erase(
        rows.map((row) => row.lease_id),
        nowMs,
      );
    }
  }

  /** From the rows and from the journal, and notes it, so that rows made anew are without them too. */
  private async erase(leaseIds: readonly LeaseId[], atMs: number): Promise<void> {
    await this.dataSource.transaction(async (manager) => {
      const erased = await eraseSecretsOfRows(manager, leaseIds, atMs);
      if (erased.length === 0) return;
      await manager.query(ERASE_JOURNAL, [topicOf(leaseProposed), erased, leaseProposed.type]);
      await this.events.append(
        manager,
        erased.map((leaseId) => ({
          streamId: `secrets/${leaseId}`,
          expectedVersion: 0,
          events: [{ type: 'LeaseSecretsErased', leaseId, atMs }],
        })),
      );
    });
  }
}

/** At most so many at once: the next round finds the rest. */
const TO_ERASE = `
  SELECT l.lease_id FROM leases l JOIN workloads w USING (lease_id)
  WHERE l.erased_at_ms IS NULL AND w.is_over ORDER BY l.lease_id LIMIT 500`;
const ERASE_JOURNAL = `
  UPDATE bus_journal SET data = jsonb_set(data::jsonb, '{secrets}', 'null')::json
  WHERE consumer = 'orchestrator' AND topic = $1 AND key = ANY($2::text[]) AND type = $3`;
