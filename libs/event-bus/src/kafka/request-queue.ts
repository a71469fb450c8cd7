import { createRequire } from 'node:module';

/** What is used here of kafkajs's queue of requests, one for each connection; it is not exported by the library. */
type RequestQueue = {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests: (this: RequestQueue) => void;
};

const { prototype } = createRequire(import.meta.url)('kafkajs/src/network/requestQueue/index.js') as {
  readonly prototype: Pick<RequestQueue, 'scheduleCheckPendingRequests'>;
};
const { scheduleCheckPendingRequests } = prototype;

/**
 * Has a queue look for requests that wait only while some do. kafkajs 2.2.4 looks again a millisecond after each look, for
 * as long as the connection lasts: the time until the next look is taken from the end of a throttling that there never was,
 * and is negative (https://github.com/tulios/kafkajs/issues/1704).
 */
export const calmRequestQueues = (): void => {
  prototype.scheduleCheckPendingRequests = function () {
    if (this.pending.length > 0) scheduleCheckPendingRequests.call(this);
  };
};
