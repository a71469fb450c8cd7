import type { HearingReadModel } from '@gridbourse/event-store';
import { type DomainEvent, type EventOf, usageRecorded } from '@gridbourse/events';
import type { EntityManager } from 'typeorm';

export type Usage = EventOf<typeof usageRecorded>;

const RECORD = `
  INSERT INTO usage_records (usage_id, lease_id, window_start_ms, window_end_ms, seconds, cumulative_seconds)
  VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING usage_id`;

export const fieldsOfUsage = (event: Usage): readonly unknown[] => {
  const { usageId, leaseId, windowStartMs, windowEndMs, seconds, cumulativeSeconds } = event;
  return [usageId, leaseId, windowStartMs, windowEndMs, seconds, cumulativeSeconds];
};

/** @returns whether the window is new */
export const recordUsage = async (manager: EntityManager, event: Usage): Promise<boolean> =>
  (await manager.query<unknown[]>(RECORD, [...fieldsOfUsage(event)])).length > 0;

/** The windows that the orchestrator has metered, made anew from what it said. */
export const usageReadModel: HearingReadModel<DomainEvent> = {
  name: 'usage',
  version: 1,
  tables: ['usage_records'],
  hears: [usageRecorded],
  project: async (manager, facts) => {
    for (const fact of facts) if ('heard' in fact) await recordUsage(manager, fact.heard.event as Usage);
  },
};
