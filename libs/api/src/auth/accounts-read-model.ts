import type { HearingReadModel } from '@gridbourse/event-store';
import {
  accountOpened,
  apiKeyIssued,
  apiKeyRevoked,
  type DomainEvent,
  type EventOf,
} from '@gridbourse/events';
import type { EntityManager } from 'typeorm';
import { saveAccount, saveApiKey, saveApiKeyRevocation } from './account-tables.ts';

export type AccountEvent = EventOf<typeof accountOpened | typeof apiKeyIssued | typeof apiKeyRevoked>;

/** What an event of the registry makes of a service's copy of accounts and API keys. */
export const applyAccountEvent = async (manager: EntityManager, event: AccountEvent): Promise<void> => {
  switch (event.type) {
    case 'AccountOpened':
      return saveAccount(manager, event);
    case 'ApiKeyIssued':
      return saveApiKey(manager, event);
    case 'ApiKeyRevoked':
      return saveApiKeyRevocation(manager, event);
  }
};

/** A service's copy of accounts and API keys, made anew from what it heard of the registry. */
export const accountsReadModel: HearingReadModel<DomainEvent> = {
  name: 'accounts',
  version: 1,
  tables: ['accounts', 'api_keys'],
  hears: [accountOpened, apiKeyIssued, apiKeyRevoked],
  project: async (manager, facts) => {
    for (const fact of facts) {
      if ('heard' in fact) await applyAccountEvent(manager, fact.heard.event as AccountEvent);
    }
  },
};
