import type { HearingReadModel } from '@gridbourse/event-store';
import {
  chainEventFinalized,
  chainEventObserved,
  chainEventRetracted,
  type DomainEvent,
} from '@gridbourse/events';
import { applyStakeEvent, type ChainEvent } from '../features/stake/stake-table.ts';

/** The chain's stake logs, made anew from what the indexer said of them. */
export const stakesReadModel: HearingReadModel<DomainEvent> = {
  name: 'stakes',
  version: 1,
  tables: ['chain_stakes'],
  hears: [chainEventObserved, chainEventRetracted, chainEventFinalized],
  project: async (manager, facts) => {
    for (const fact of facts) {
      if ('heard' in fact) await applyStakeEvent(manager, fact.heard.event as ChainEvent);
    }
  },
};
