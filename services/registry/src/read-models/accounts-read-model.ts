import type { OwnReadModel } from '@gridbourse/event-store';
import type { DomainEvent } from '@gridbourse/events';
import type { RegistryAccountEvent } from '../domain/private-events.ts';
import { projectAccount } from './account.projection.ts';

/**
 * Accounts and API keys, made anew from the events of this service by the projection that also keeps them up to date.
 * The copy that every other service has is made from what it hears; here the same tables follow from the store.
 */
export const registryAccountsReadModel: OwnReadModel<DomainEvent> = {
  name: 'accounts',
  version: 1,
  tables: ['accounts', 'api_keys', 'api_key_details'],
  project: (manager, events) =>
    // What is not about an account changes nothing.
    projectAccount(
      manager,
      events.map(({ event }) => event as RegistryAccountEvent),
    ),
};
