import type { EventStore, ReadModel } from '@gridbourse/event-store';
import type { DomainEvent } from '@gridbourse/events';
import { accountsReadModel } from '../auth/accounts-read-model.ts';
import type { ServiceDefinition } from './definition.ts';

/** All read models of a service, in the order in which they are to be rebuilt. */
export const readModelsOf = (
  definition: Pick<ServiceDefinition, 'readModels'>,
  store: EventStore,
): readonly ReadModel<DomainEvent>[] => {
  const own = definition.readModels?.(store) ?? [];
  return own.some(({ tables }) => tables.includes('accounts')) ? own : [accountsReadModel, ...own];
};
