import { cloudEventTypeOf, EventCatalogue, eventFamily, topicOf } from '@gridbourse/events';
import type { BusRecord } from '@gridbourse/event-bus';
import { z } from 'zod';

export const measured = eventFamily('bench', 'probe')(
  'Measured',
  'An event of the benchmark.',
  z.object({ sentAtMs: z.number(), filler: z.string() }),
);
export const benchCatalogue = new EventCatalogue([measured]);
export const TOPIC = topicOf(measured);

const KEYS = 1_000;

/** Records over 1,000 keys in turn, with the headers that every event has. */
export class Load {
  private made = 0;
  private readonly filler: string;

  constructor(payloadBytes: number) {
    this.filler = 'x'.repeat(payloadBytes);
  }

  next(count: number): BusRecord[] {
    const sentAtMs = performance.now();
    return Array.from({ length: count }, () => {
      const key = `k${this.made % KEYS}`;
      const sequence = Math.floor(this.made / KEYS) + 1;
      this.made += 1;
      return {
        topic: TOPIC,
        key,
        value: { sentAtMs, filler: this.filler },
        headers: {
          ce_specversion: '1.0',
          ce_id: `${key}@${sequence}`,
          ce_type: cloudEventTypeOf(measured),
          ce_source: '/gridbourse/bench',
          ce_time: '2026-01-01T00:00:00.000Z',
          ce_subject: key,
          ce_dataschema: '/gridbourse/schemas/bench.Measured.v1.json',
          sequence: String(sequence),
        },
      };
    });
  }
}
