import type { LeaseId } from '@gridbourse/kernel';
import { id } from 'ethers';

/** How the contract's events name a lease of ours: keccak-256 of the UTF-8 text of its id. */
export const leaseReference = (leaseId: LeaseId): string => id(leaseId);
