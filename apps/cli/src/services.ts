import { DomainError } from '@gridbourse/kernel';

/** The services of a platform, for operators. */
export const SERVICES = ['registry', 'matchmaker', 'orchestrator', 'billing', 'chain-indexer'];

/** @throws DomainError `unknown_service` */
export const knownService = (service: string): string => {
  if (SERVICES.includes(service)) return service;
  throw new DomainError(
    'invalid',
    'unknown_service',
    `there is no service "${service}": expected one of ${SERVICES.join(', ')}`,
  );
};
