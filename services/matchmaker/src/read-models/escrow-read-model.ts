import type { HearingReadModel } from '@gridbourse/event-store';
import { type DomainEvent, escrowChanged, type EventOf } from '@gridbourse/events';

/** As `hearOfEscrow` hears it: a word that is older than what is known changes nothing. */
const SAVE = `
  INSERT INTO escrow_balances AS known (account_id, free_micros, at_ms) VALUES ($1, $2, $3)
  ON CONFLICT (account_id) DO UPDATE SET free_micros = excluded.free_micros, at_ms = excluded.at_ms
  WHERE known.at_ms <= excluded.at_ms`;

/** What billing last said of each tenant's free money. */
export const escrowReadModel: HearingReadModel<DomainEvent> = {
  name: 'escrow',
  version: 1,
  tables: ['escrow_balances'],
  hears: [escrowChanged],
  project: async (manager, facts) => {
    for (const fact of facts) {
      if (!('heard' in fact)) continue;
      const { accountId, freeMicros, atMs } = fact.heard.event as EventOf<typeof escrowChanged>;
      await manager.query(SAVE, [accountId, freeMicros.toString(), atMs]);
    }
  },
};
