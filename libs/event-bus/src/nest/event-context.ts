import type { EventHeaders } from '@gridbourse/events';
import { BaseRpcContext } from '@nestjs/microservices';
import type { EntityManager } from 'typeorm';
import { type InboxEntry, recordInbox } from '../inbox.ts';
import { writeJournal } from '../journal.ts';
import type { Delivery } from '../port.ts';

export type Hearing = {
  /** By the clock of the service. */
  readonly heardAtMs: number;
  /** Whether the event is kept in the journal. */
  readonly journal: boolean;
};

/** What a handler gets with `@Ctx()`. */
export class EventContext extends BaseRpcContext<[Delivery]> {
  private recorded = false;

  constructor(
    private readonly delivery: Delivery,
    private readonly entry: InboxEntry,
    private readonly transaction: EntityManager | null,
    private readonly hearing: Hearing,
  ) {
    super([delivery]);
  }

  get headers(): EventHeaders {
    return this.delivery.headers;
  }

  get topic(): string {
    return this.delivery.topic;
  }

  /** The id of the aggregate that the event is about. */
  get key(): string {
    return this.delivery.key;
  }

  get sequence(): number {
    return this.delivery.sequence;
  }

  get attempt(): number {
    return this.delivery.attempt;
  }

  /**
   * When the event was taken, by the clock of the service. A handler whose effect is to be rebuilt from the journal takes
   * this for its time.
   */
  get heardAtMs(): number {
    return this.hearing.heardAtMs;
  }

  /** The transaction in which the inbox is recorded: what is written with it happens once. */
  get manager(): EntityManager {
    if (!this.transaction) {
      throw new Error("this handler has { transaction: 'handler' }: it has to open its own transaction");
    }
    return this.transaction;
  }

  /** Whether recordInbox has been called. */
  get inboxRecorded(): boolean {
    return this.recorded;
  }

  /**
   * For handlers with `{ transaction: 'handler' }`: notes the event as taken in their transaction. On `duplicate` the
   * effect has happened before and must be left out. Where the event is to be kept, it is kept here.
   *
   * @param hearing what the journal keeps beside it: another time than `heardAtMs`, and a note of the handler's own
   * @throws DomainError `inbox_gap`: let it fail the transaction
   */
  async recordInbox(
    manager: EntityManager,
    hearing: { readonly heardAtMs?: number; readonly note?: unknown } = {},
  ): Promise<'new' | 'duplicate'> {
    const state = await recordInbox(manager, this.entry);
    if (state === 'new' && this.hearing.journal) {
      const { heardAtMs = this.heardAtMs, note = null } = hearing;
      await writeJournal(manager, this.entry.consumer, [{ ...this.delivery, heardAtMs, note }]);
    }
    this.recorded = true;
    return state;
  }
}
