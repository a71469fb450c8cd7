import type { OwnReadModel } from '@gridbourse/event-store';
import type { ChainEventObserved, chainEventRetracted, DomainEvent, EventOf } from '@gridbourse/events';
import { deleteLog, insertLogs } from '../adapters/log-rows.ts';

type Told = ChainEventObserved | EventOf<typeof chainEventRetracted>;

/** Every log on the chain as it is now: what was observed and not retracted since. */
export const logsReadModel: OwnReadModel<DomainEvent> = {
  name: 'logs',
  version: 1,
  tables: ['chain_logs'],
  types: ['ChainEventObserved', 'ChainEventRetracted'],
  project: async (manager, events) => {
    for (const { event } of events) {
      const told = event as Told;
      if (told.type === 'ChainEventObserved') await insertLogs(manager, told.chainId, [told]);
      else await deleteLog(manager, told);
    }
  },
};
