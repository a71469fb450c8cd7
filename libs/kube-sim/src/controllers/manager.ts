import type { Change } from '../storage/store.ts';
import { claimController } from './claims.ts';
import type { Controller, ControllerContext } from './context.ts';
import { deploymentController } from './deployments.ts';
import { endpointController } from './endpoints.ts';
import { ephemeralVolumeController } from './ephemeral-volumes.ts';
import { eventExpiry } from './events-ttl.ts';
import { garbageCollector } from './garbage-collector.ts';
import { jobController } from './jobs.ts';
import { kubelet } from './kubelet.ts';
import { namespaceController } from './namespaces.ts';
import { nodeController } from './nodes.ts';
import { quotaController } from './quotas.ts';
import { replicaSetController } from './replica-sets.ts';
import { scheduler } from './scheduler.ts';
import { statefulSetController } from './stateful-sets.ts';

const ALL = [
  nodeController,
  namespaceController,
  garbageCollector,
  ephemeralVolumeController,
  claimController,
  jobController,
  deploymentController,
  replicaSetController,
  statefulSetController,
  scheduler,
  kubelet,
  endpointController,
  quotaController,
  eventExpiry,
];

/** Runs the controllers: changes become keys in a queue without duplicates, and keys are worked off in turns. */
export class ControllerManager {
  private readonly controllers = new Map<string, Controller>();
  private readonly queue = new Map<string, [controller: string, key: string]>();
  private readonly unsubscribe: () => void;
  private readonly onError: (error: unknown, what: string) => void;
  private scheduled: NodeJS.Immediate | undefined;
  private stopped = false;

  constructor(
    makeContext: (enqueue: ControllerContext['enqueue']) => ControllerContext,
    onError: (error: unknown, what: string) => void,
  ) {
    this.onError = onError;
    const context = makeContext((controller, key) => this.enqueue(controller, key));
    for (const make of ALL) {
      const controller = make(context);
      this.controllers.set(controller.name, controller);
    }
    this.unsubscribe = context.store.subscribe((change) => this.hear(change));
    for (const controller of this.controllers.values()) {
      for (const key of controller.everything()) this.enqueue(controller.name, key);
    }
  }

  stop(): void {
    this.stopped = true;
    this.unsubscribe();
    if (this.scheduled) clearImmediate(this.scheduled);
  }

  private hear(change: Change): void {
    for (const controller of this.controllers.values()) {
      for (const key of controller.interestedIn(change.resource, change.object))
        this.enqueue(controller.name, key);
    }
  }

  private enqueue(controller: string, key: string): void {
    if (this.stopped) return;
    this.queue.set(`${controller} ${key}`, [controller, key]);
    this.scheduled ??= setImmediate(() => this.workOff());
  }

  /** One round: what it causes is the next round's work, so that requests get their turn in between. */
  private workOff(): void {
    this.scheduled = undefined;
    const round = [...this.queue.values()];
    this.queue.clear();
    for (const [name, key] of round) {
      if (this.stopped) return;
      try {
        this.controllers.get(name)?.reconcile(key);
      } catch (error) {
        this.onError(error, `${name} ${key}`);
      }
    }
  }
}
