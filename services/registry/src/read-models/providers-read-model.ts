import type { OwnReadModel } from '@gridbourse/event-store';
import type { DomainEvent } from '@gridbourse/events';
import type { RegistryProviderEvent } from '../domain/private-events.ts';
import { projectProvider } from './provider.projection.ts';

/** Providers and offers, made anew from the events of this service by the projection that also keeps them up to date. */
export const providersReadModel = (): OwnReadModel<DomainEvent> => ({
  name: 'providers',
  version: 1,
  tables: ['providers', 'offers'],
  project: (manager, events) =>
    // What is not about a provider changes nothing.
    projectProvider(
      manager,
      events.map(({ event }) => event as RegistryProviderEvent),
    ),
});
