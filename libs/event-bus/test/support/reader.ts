import { type EventOf, leaseAccepted, leaseActivated, orderExpired } from '@gridbourse/events';
import { Controller, Module } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { EntityManager } from 'typeorm';
import { EventContext, OnEvent } from '../../src/index.ts';

/** What the handlers below do, set by each test. */
export const world = {
  calls: [] as string[],
  during: (_event: { type: string }, _context: EventContext): void | Promise<void> => undefined,
  own: (_context: EventContext): Promise<void> => Promise.resolve(),
};

export const note = (manager: EntityManager, text: string): Promise<unknown> =>
  manager.query('INSERT INTO effects VALUES ($1)', [text]);

@Controller()
class LeaseReader {
  @OnEvent(leaseActivated)
  async onActivated(@Payload() event: EventOf<typeof leaseActivated>, @Ctx() context: EventContext) {
    world.calls.push(`${event.type} ${context.sequence}`);
    await note(context.manager, `${event.leaseId} ${context.sequence} since ${event.runningSinceMs}`);
    await world.during(event, context);
  }

  @OnEvent(leaseAccepted, { transaction: 'handler' })
  async onAccepted(@Payload() event: EventOf<typeof leaseAccepted>, @Ctx() context: EventContext) {
    world.calls.push(`${event.type} ${context.sequence}`);
    await world.own(context);
  }

  @OnEvent(orderExpired)
  first(@Payload() event: EventOf<typeof orderExpired>, @Ctx() context: EventContext) {
    return note(context.manager, `first ${event.orderId}`);
  }
}

@Controller()
class SecondReader {
  @OnEvent(orderExpired)
  async second(@Payload() event: EventOf<typeof orderExpired>, @Ctx() context: EventContext) {
    await note(context.manager, `second ${event.orderId}`);
    await world.during(event, context);
  }
}

@Module({ controllers: [LeaseReader, SecondReader] })
export class ReaderModule {}
