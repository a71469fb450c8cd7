import {
  type EventCatalogue,
  leaseProposed,
  type LeaseProposed,
  publishedLanguage,
} from '@gridbourse/events';
import type { LeaseId } from '@gridbourse/kernel';
import type { EntityManager } from 'typeorm';
import { LeaseEntity } from './lease.entity.ts';

/** Keeps a proposal; one that is kept stays as it is. */
export const keepProposal = async (manager: EntityManager, proposal: LeaseProposed): Promise<void> => {
  const { schemaVersion, data } = publishedLanguage.encode(proposal);
  const { leaseId, accountId, providerId, durationSeconds } = proposal;
  await manager
    .createQueryBuilder()
    .insert()
    .into(LeaseEntity)
    .values({
      ...{ leaseId, accountId, providerId, durationSeconds },
      proposal: data as object,
      proposalVersion: schemaVersion,
    })
    .orIgnore()
    .execute();
};

/** The proposal in the shape of today, whatever version it was kept in, with the duration that the lease has by now. */
export const proposalOf = (
  {
    proposal,
    proposalVersion,
    durationSeconds,
  }: Pick<LeaseEntity, 'proposal' | 'proposalVersion' | 'durationSeconds'>,
  catalogue: Pick<EventCatalogue, 'decode'> = publishedLanguage,
): LeaseProposed => {
  const { type } = leaseProposed;
  const decoded = catalogue.decode({ type, schemaVersion: proposalVersion, data: proposal }) as LeaseProposed;
  return { ...decoded, durationSeconds };
};

/**
 * How long the lease may run in all, as the chain has it now.
 * @returns false when the lease is not kept here (yet)
 */
export const noteTerm = async (
  manager: EntityManager,
  leaseId: LeaseId,
  durationSeconds: number,
): Promise<boolean> => {
  const { affected } = await manager.getRepository(LeaseEntity).update({ leaseId }, { durationSeconds });
  return affected === 1;
};

export const noteFunding = async (
  manager: EntityManager,
  leaseId: LeaseId,
  fundedAtMs: number,
): Promise<void> => {
  await manager.getRepository(LeaseEntity).update({ leaseId }, { fundedAtMs });
};

const ERASE = `
  WITH erased AS (
    UPDATE leases SET proposal = jsonb_set(proposal, '{secrets}', 'null'), erased_at_ms = $2
    WHERE erased_at_ms IS NULL AND lease_id = ANY($1::text[])
    RETURNING lease_id
  ) SELECT lease_id FROM erased ORDER BY lease_id`;

/** Erases sealed secrets from the rows. @returns the leases of which there were any to erase */
export const eraseSecretsOfRows = async (
  manager: EntityManager,
  leaseIds: readonly LeaseId[],
  atMs: number,
): Promise<LeaseId[]> => {
  const rows = await manager.query<{ lease_id: LeaseId }[]>(ERASE, [leaseIds, atMs]);
  return rows.map((row) => row.lease_id);
};
