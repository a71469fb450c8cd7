import type { ServiceName } from '@gridbourse/api';

/** Every service of the platform, the one that the others need keys of first. */
export const SERVICE_NAMES = [
  'registry',
  'matchmaker',
  'orchestrator',
  'billing',
  'chain-indexer',
] as const satisfies readonly ServiceName[];

/** Each service has a database of its own on the local Postgres. */
export const databaseOf = (service: ServiceName): string => `gridbourse_${service.replace(/-/g, '_')}`;
