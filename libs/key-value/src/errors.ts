import { DomainError } from '@gridbourse/kernel';

/** Nobody answered: the operation may or may not have been done. */
export const unavailable = (reason: string, cause?: unknown): DomainError =>
  new DomainError('unavailable', 'key_value_unavailable', `the key-value store does not answer: ${reason}`, {
    cause,
  });

/** There is no room for anything new; what is there is untouched. */
export const full = (reason: string, cause?: unknown): DomainError =>
  new DomainError('exhausted', 'key_value_full', `the key-value store is full: ${reason}`, { cause });

/** Whether the store, and not the request, is what stands in the way. */
export const isStoreTrouble = (error: unknown): error is DomainError =>
  error instanceof DomainError && (error.code === 'key_value_unavailable' || error.code === 'key_value_full');
