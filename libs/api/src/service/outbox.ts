import type { OutboxRelay } from '@gridbourse/event-store';

/** Tells the relay that there is something new to publish. A hint: the relay also looks by itself. */
export class Outbox {
  private relay: OutboxRelay | undefined;

  attach(relay: OutboxRelay): void {
    this.relay = relay;
  }

  wake(): void {
    this.relay?.wake();
  }
}
