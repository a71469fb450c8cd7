import { Outbox } from '@gridbourse/api';
import type { EventContext } from '@gridbourse/event-bus';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { Relayer } from './relayer.ts';

/** Transactions that wake what works off their results as soon as they are committed. */
@Injectable()
export class Transactions {
  constructor(
    private readonly dataSource: DataSource,
    private readonly outbox: Outbox,
    private readonly relayer: Relayer,
  ) {}

  async run<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    const result = await this.dataSource.transaction(work);
    this.outbox.wake();
    this.relayer.wake();
    return result;
  }

  /** For handlers of the bus that open their own transaction: the effect of an event happens once. */
  async once(context: EventContext, work: (manager: EntityManager) => Promise<void>): Promise<void> {
    await this.run(async (manager) => {
      if ((await context.recordInbox(manager)) === 'new') await work(manager);
    });
  }
}
