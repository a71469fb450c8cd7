import { type DeadLetter, DeadLetters, type EventBus, type PartitionLag } from '@gridbourse/event-bus';
import { DomainError } from '@gridbourse/kernel';
import type { OnApplicationShutdown } from '@nestjs/common';

/** What an operator may do with one service's side of the bus: its own group, and no other. */
export class BusOperations implements OnApplicationShutdown {
  private readonly letters: DeadLetters;

  constructor(
    private readonly bus: EventBus,
    private readonly group: string,
    databaseUrl: string,
  ) {
    this.letters = new DeadLetters({ databaseUrl });
  }

  list(filter: {
    topic?: string;
    key?: string;
    settled: boolean;
    afterId?: string;
    limit: number;
  }): Promise<DeadLetter[]> {
    return this.letters.list({ ...filter, group: this.group });
  }

  /** @throws DomainError `dead_letter_not_found`, also for one of another group */
  async find(id: string): Promise<DeadLetter> {
    const letter = await this.letters.get(id);
    if (letter.group === this.group) return letter;
    throw new DomainError('not_found', 'dead_letter_not_found', `the ${this.group} has no dead letter ${id}`);
  }

  /** @throws DomainError `parked_key_not_found` */
  replay(which: { topic: string; key: string }): Promise<void> {
    return this.letters.replay({ ...which, group: this.group });
  }

  /** @throws DomainError `dead_letter_not_found`, `reason_missing` */
  async skip(id: string, reason: string): Promise<void> {
    await this.find(id);
    await this.letters.skip(id, reason);
  }

  lag(): Promise<PartitionLag[]> {
    return this.bus.lag(this.group);
  }

  onApplicationShutdown(): Promise<void> {
    return this.letters.close();
  }
}
