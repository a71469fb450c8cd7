import { conflict } from '@gridbourse/kernel';
import type { Books } from '@gridbourse/sdk';

/** States, in billing's words, of leases whose meter or payments may still move. */
const MOVING = ['proposed', 'opening', 'open', 'closing'];

/**
 * The books of a run are what the account's books have grown by: other leases of the account would be counted with it, and
 * never stand still for meter, ledger and chain to be compared.
 * @throws DomainError `other_leases_run`
 */
export const demandQuietBooks = ({ leases }: Books): void => {
  const moving = MOVING.reduce((sum, state) => sum + (leases[state] ?? 0), 0);
  if (moving === 0) return;
  throw conflict(
    'other_leases_run',
    `${moving} other lease(s) of this account run or are being settled, so the books of the demo cannot be told from theirs: end them first (gridbourse lease ls, gridbourse lease close lea_…), or wait until they are closed`,
  );
};
