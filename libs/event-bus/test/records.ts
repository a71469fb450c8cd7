import type { BusRecord, Delivery } from '../src/index.ts';

/** A record as the outbox would make it. */
export const record = (
  topic: string,
  key: string,
  sequence: number,
  value: unknown = { sequence },
): BusRecord => ({
  topic,
  key,
  value,
  headers: {
    ce_specversion: '1.0',
    ce_id: `${key}@${sequence}`,
    ce_type: 'gridbourse.matchmaker.LeaseActivated.v1',
    ce_source: '/gridbourse/matchmaker',
    ce_time: '2026-01-01T00:00:00.000Z',
    ce_subject: key,
    ce_dataschema: '/gridbourse/schemas/matchmaker.LeaseActivated.v1.json',
    sequence: String(sequence),
  },
});

/** A handler that keeps what it was given, and what it has finished. */
export class Collector {
  readonly started: Delivery[] = [];
  readonly finished: Delivery[] = [];
  /** Runs in the middle of every handling; throw here to fail it. */
  during: (delivery: Delivery) => Promise<void> | void = () => undefined;

  readonly handler = async (delivery: Delivery): Promise<void> => {
    this.started.push(delivery);
    await this.during(delivery);
    this.finished.push(delivery);
  };

  sequencesOf(key: string): number[] {
    return this.finished.filter((delivery) => delivery.key === key).map((delivery) => delivery.sequence);
  }
}

/** A promise and the means to keep it. */
export const gate = (): { readonly opened: Promise<void>; open: () => void } => {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
};
