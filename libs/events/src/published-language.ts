import { billingEvents } from './billing.events.ts';
import { EventCatalogue } from './catalogue.ts';
import { chainIndexerEvents } from './chain-indexer.events.ts';
import { leaseEvents, orderEvents } from './matchmaker.events.ts';
import { workloadEvents } from './orchestrator.events.ts';
import { accountEvents, providerEvents } from './registry.events.ts';

/** Every event that crosses a service border. */
export const publishedEvents = [
  ...accountEvents,
  ...providerEvents,
  ...orderEvents,
  ...leaseEvents,
  ...workloadEvents,
  ...billingEvents,
  ...chainIndexerEvents,
] as const;

export const publishedLanguage = new EventCatalogue(publishedEvents);
