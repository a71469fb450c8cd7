// A process of the crash test: a service under Nest whose handler writes one row an event. It never ends by itself.
import 'reflect-metadata';
import type { EventOf } from '@gridbourse/events';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, Payload } from '@nestjs/microservices';
import { DataSource } from 'typeorm';
import { BusStrategy, EventContext, OnEvent } from '@gridbourse/event-bus';
import { counted, counterCatalogue } from './language.ts';
import { connectBus, GROUP, loggerOf, planOfThisProcess } from './plan.ts';

@Controller()
class CounterReader {
  @OnEvent(counted)
  async onCounted(@Payload() event: EventOf<typeof counted>, @Ctx() context: EventContext): Promise<void> {
    await context.manager.query('INSERT INTO effects (key, sequence, count, pid) VALUES ($1, $2, $3, $4)', [
      context.key,
      context.sequence,
      event.count,
      process.pid,
    ]);
  }
}

@Module({ controllers: [CounterReader] })
class ReaderModule {}

const plan = planOfThisProcess();
const logger = loggerOf(plan, 'consumer');
const dataSource = await new DataSource({
  type: 'postgres',
  url: plan.consumerDatabase,
  poolSize: 10,
}).initialize();
const bus = connectBus(plan, logger);
await bus.start();
const app = await NestFactory.createMicroservice(ReaderModule, {
  strategy: new BusStrategy({
    bus,
    dataSource,
    group: GROUP,
    catalogue: counterCatalogue,
    logger,
  }),
  logger: false,
});
await app.listen();
process.send!('up');
