import { SERVICE_CONFIG } from '@gridbourse/api';
import {
  leaseProposed,
  type LeaseProposed,
  publishedLanguage,
  workloadSecrets,
  type WorkloadSecrets,
} from '@gridbourse/events';
import { DomainError, type LeaseId } from '@gridbourse/kernel';
import { open } from '@gridbourse/sealing';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { OrchestratorConfig } from '../orchestrator.config.ts';
import { LeaseEntity } from '../read-models/lease.entity.ts';

const CACHED_LEASES = 5_000;

/** What leases are for, as they were proposed. */
@Injectable()
export class LeaseFacts {
  private readonly cache = new Map<LeaseId, LeaseProposed>();

  constructor(
    private readonly dataSource: DataSource,
    @Inject(SERVICE_CONFIG) private readonly config: OrchestratorConfig,
  ) {}

  async keep(manager: EntityManager, proposal: LeaseProposed): Promise<void> {
    await manager
      .createQueryBuilder()
      .insert()
      .into(LeaseEntity)
      .values({
        leaseId: proposal.leaseId,
        accountId: proposal.accountId,
        providerId: proposal.providerId,
        proposal: publishedLanguage.encode(proposal).data as object,
        durationSeconds: proposal.durationSeconds,
      })
      .orIgnore()
      .execute();
  }

  /**
   * How long the lease may run in all, as the chain has it now; `find` tells it once the transaction has committed and
   * `termChanged` was called.
   * @returns false when the lease is not kept here (yet)
   */
  async keepTerm(manager: EntityManager, leaseId: LeaseId, durationSeconds: number): Promise<boolean> {
    const { affected } = await manager.getRepository(LeaseEntity).update({ leaseId }, { durationSeconds });
    return affected === 1;
  }

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
    await this.dataSource.query(
      `UPDATE leases SET proposal = jsonb_set(proposal, '{secrets}', 'null'), erased_at_ms = $2
       WHERE lease_id = $1 AND erased_at_ms IS NULL`,
      [leaseId, nowMs],
    );
  }

  /** Catches up with the leases that were over when the process ended before it could erase. */
  async eraseFinished(nowMs: number): Promise<void> {
    await this.dataSource.query(
      `UPDATE leases SET proposal = jsonb_set(proposal, '{secrets}', 'null'), erased_at_ms = $1
       WHERE erased_at_ms IS NULL AND lease_id IN (SELECT lease_id FROM workloads WHERE is_over)`,
      [nowMs],
    );
  }
}

/** As it was proposed, with the duration that it has by now. */
const proposalOf = ({ proposal, durationSeconds }: LeaseEntity): LeaseProposed => {
  const { type, version: schemaVersion } = leaseProposed;
  const decoded = publishedLanguage.decode({ type, schemaVersion, data: proposal }) as LeaseProposed;
  return { ...decoded, durationSeconds };
};
