import type { HearingReadModel } from '@gridbourse/event-store';
import {
  chainEventFinalized,
  chainEventObserved,
  chainEventRetracted,
  type DomainEvent,
  type EventOf,
} from '@gridbourse/events';
import { ChainLogStore } from '../adapters/chain-log.store.ts';
import type { Tidings } from '../domain/chain-log-state.ts';

type ChainWord = EventOf<typeof chainEventObserved | typeof chainEventRetracted | typeof chainEventFinalized>;

const TIDINGS: Readonly<Record<ChainWord['type'], Tidings>> = {
  ChainEventObserved: 'observed',
  ChainEventRetracted: 'retracted',
  ChainEventFinalized: 'finalized',
};

/**
 * The chain's word as the indexer told it. The ledger and the settlements that followed from it are not made anew: they
 * are the record of what was done.
 */
export const chainReadModel = (logs: ChainLogStore = new ChainLogStore()): HearingReadModel<DomainEvent> => ({
  name: 'chain',
  version: 1,
  tables: ['chain_logs', 'chain_lease_rows'],
  hears: [chainEventObserved, chainEventRetracted, chainEventFinalized],
  project: async (manager, facts) => {
    for (const fact of facts) {
      if (!('heard' in fact)) continue;
      const { type, ...event } = fact.heard.event as ChainWord;
      await logs.hear(manager, TIDINGS[type], event, fact.heard.heardAtMs);
    }
  },
});
