import type { BusRecord, EventBus, Subscription } from '@gridbourse/event-bus';

/** A bus that keeps what is published, and fails or waits on demand. */
export class RecordingBus implements EventBus {
  readonly published: BusRecord[] = [];
  beforePublish: () => void | Promise<void> = () => undefined;
  afterPublish: () => void | Promise<void> = () => undefined;

  start(): Promise<void> {
    return Promise.resolve();
  }

  async publish(records: readonly BusRecord[]): Promise<void> {
    await this.beforePublish();
    this.published.push(...records);
    await this.afterPublish();
  }

  subscribe(): Promise<Subscription> {
    return Promise.reject(new Error('nothing is delivered here'));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
