import { EVENTS, storageName } from '../kinds.ts';
import type { KubeEvent } from '../objects.ts';
import type { Controller, ControllerContext } from './context.ts';

/** As the real server keeps them. */
const EVENT_TTL_MS = 3_600_000;
const SWEEP_MS = 300_000;

/** Events are forgotten after an hour. */
export const eventExpiry = ({ store, clock, timers, enqueue }: ControllerContext): Controller => ({
  name: 'event-expiry',
  interestedIn: (resource) => (resource === storageName(EVENTS) && !timers.has('event-expiry') ? ['*'] : []),
  reconcile: () => {
    for (const event of store.list<KubeEvent>(EVENTS)) {
      const seenMs = Date.parse(event.lastTimestamp ?? event.metadata.creationTimestamp);
      if (clock.now() - seenMs > EVENT_TTL_MS)
        store.remove(EVENTS, event.metadata.namespace, event.metadata.name);
    }
    timers.set('event-expiry', SWEEP_MS, () => enqueue('event-expiry', '*'));
  },
  everything: () => ['*'],
});
