import type { BusRecord, EventBus } from '@gridbourse/event-bus';

/** Keeps what is published, and fails or waits on demand. */
export class RecordingBus implements Pick<EventBus, 'publish'> {
  readonly published: BusRecord[] = [];
  beforePublish: () => void | Promise<void> = () => undefined;
  afterPublish: () => void | Promise<void> = () => undefined;

  async publish(records: readonly BusRecord[]): Promise<void> {
    await this.beforePublish();
    this.published.push(...records);
    await this.afterPublish();
  }
}
