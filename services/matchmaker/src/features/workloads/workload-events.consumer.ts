import { EventContext, OnEvent } from '@gridbourse/event-bus';
import {
  type EventOf,
  meterClosed,
  workloadDegraded,
  type WorkloadEvent,
  workloadExited,
  workloadFailed,
  workloadProvisioning,
  workloadRequested,
  workloadRunning,
  workloadTerminated,
  workloadTerminating,
  workloadUnknown,
} from '@gridbourse/events';
import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import type { UnitOfWork } from '../../domain/process/unit-of-work.ts';
import {
  hearOfExit,
  hearOfFailure,
  hearOfRunning,
  hearOfTermination,
} from '../../domain/process/workload.ts';
import { noteLifeEvent } from '../../read-models/projection.ts';
import { Matchmaker } from '../../writer/matchmaker.ts';

/** What is heard can be told again: read models are made of it. */
const ownTransaction = { transaction: 'handler', journal: true } as const;
const nothing = (): void => undefined;

/** What the orchestrator says of a lease's workload: some of it decides, all of it shows in the timeline. */
@Controller()
export class WorkloadEventsConsumer {
  constructor(private readonly matchmaker: Matchmaker) {}

  @OnEvent(workloadRequested, ownTransaction)
  onRequested(@Payload() event: EventOf<typeof workloadRequested>, @Ctx() context: EventContext) {
    return this.hear(event, context, nothing);
  }

  @OnEvent(workloadProvisioning, ownTransaction)
  onProvisioning(@Payload() event: EventOf<typeof workloadProvisioning>, @Ctx() context: EventContext) {
    return this.hear(event, context, nothing);
  }

  @OnEvent(workloadRunning, ownTransaction)
  onRunning(@Payload() event: EventOf<typeof workloadRunning>, @Ctx() context: EventContext) {
    return this.hear(event, context, (unit) => hearOfRunning(unit, event));
  }

  @OnEvent(workloadDegraded, ownTransaction)
  onDegraded(@Payload() event: EventOf<typeof workloadDegraded>, @Ctx() context: EventContext) {
    return this.hear(event, context, nothing);
  }

  @OnEvent(workloadUnknown, ownTransaction)
  onUnknown(@Payload() event: EventOf<typeof workloadUnknown>, @Ctx() context: EventContext) {
    return this.hear(event, context, nothing);
  }

  @OnEvent(workloadFailed, ownTransaction)
  onFailed(@Payload() event: EventOf<typeof workloadFailed>, @Ctx() context: EventContext) {
    return this.hear(event, context, (unit) => hearOfFailure(unit, event));
  }

  @OnEvent(workloadExited, ownTransaction)
  onExited(@Payload() event: EventOf<typeof workloadExited>, @Ctx() context: EventContext) {
    return this.hear(event, context, (unit) => hearOfExit(unit, event));
  }

  @OnEvent(workloadTerminating, ownTransaction)
  onTerminating(@Payload() event: EventOf<typeof workloadTerminating>, @Ctx() context: EventContext) {
    return this.hear(event, context, nothing);
  }

  @OnEvent(meterClosed, ownTransaction)
  onMeterClosed(@Payload() event: EventOf<typeof meterClosed>, @Ctx() context: EventContext) {
    return this.hear(event, context, nothing);
  }

  @OnEvent(workloadTerminated, ownTransaction)
  onTerminated(@Payload() event: EventOf<typeof workloadTerminated>, @Ctx() context: EventContext) {
    return this.hear(event, context, (unit) => hearOfTermination(unit, event));
  }

  private async hear(
    event: WorkloadEvent,
    context: EventContext,
    work: (unit: UnitOfWork) => void,
  ): Promise<void> {
    const order = this.matchmaker.exchange.lease(event.leaseId)?.orderId;
    await this.matchmaker.execute(work, {
      context,
      alsoWrite: (manager, _, at) => noteLifeEvent(manager, event.leaseId, event, at),
      ...(order === undefined ? {} : { concerns: [order] }),
    });
  }
}
