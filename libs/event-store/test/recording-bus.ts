import type { BusRecord, EventBus, PublishedRecord } from '@gridbourse/event-bus';

/** As a consumer gets it. */
const read = (record: PublishedRecord): BusRecord => {
  if (!('json' in record)) return record;
  const { json, ...rest } = record;
  return { ...rest, value: JSON.parse(json) as unknown };
};

/** Keeps what is published, and fails or waits on demand. */
export class RecordingBus implements Pick<EventBus, 'publish'> {
  readonly published: BusRecord[] = [];
  beforePublish: () => void | Promise<void> = () => undefined;
  afterPublish: () => void | Promise<void> = () => undefined;

  async publish(records: readonly PublishedRecord[]): Promise<void> {
    await this.beforePublish();
    this.published.push(...records.map(read));
    await this.afterPublish();
  }
}
