import { createRequire } from 'node:module';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { calmRequestQueues } from './request-queue.ts';

type Queue = {
  push(request: unknown): void;
  fulfillRequest(response: { correlationId: number; payload: Buffer; size: number }): void;
  maybeThrottle(milliseconds: number): void;
};
const RequestQueue = createRequire(import.meta.url)('kafkajs/src/network/requestQueue/index.js') as new (
  options: object,
) => Queue;

calmRequestQueues();

describe("kafkajs's queue of requests", () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  const queueOf = (maxInFlightRequests: number): { queue: Queue; sent: number[]; ask(id: number): void } => {
    const logger = { debug: () => {}, warn: () => {} };
    const queue = new RequestQueue({
      ...{ maxInFlightRequests, requestTimeout: 1_000, enforceRequestTimeout: false },
      ...{ clientId: 'test', broker: 'localhost:1', logger },
    });
    const sent: number[] = [];
    const ask = (correlationId: number): void =>
      queue.push({
        entry: {
          apiKey: 0,
          apiName: 'Test',
          apiVersion: 0,
          correlationId,
          resolve: () => {},
          reject: () => {},
        },
        expectResponse: true,
        sendRequest: () => sent.push(correlationId),
      });
    return { queue, sent, ask };
  };
  const answerTo = (correlationId: number) => ({ correlationId, payload: Buffer.alloc(0), size: 0 });

  it('looks for nothing while no request waits', () => {
    const { queue, sent, ask } = queueOf(1);
    ask(1);
    queue.fulfillRequest(answerTo(1));
    expect({ sent, timers: jest.getTimerCount() }).toEqual({ sent: [1], timers: 0 });
  });

  it('sends what waits for an answer to another, and for the end of a throttling', () => {
    const { queue, sent, ask } = queueOf(1);
    ask(1);
    ask(2);
    queue.fulfillRequest(answerTo(1));
    expect(sent).toEqual([1, 2]);
    queue.fulfillRequest(answerTo(2));
    queue.maybeThrottle(500);
    ask(3);
    jest.advanceTimersByTime(400);
    expect(sent).toEqual([1, 2]);
    jest.advanceTimersByTime(200);
    expect(sent).toEqual([1, 2, 3]);
    queue.fulfillRequest(answerTo(3));
    jest.advanceTimersByTime(1_000);
    expect(jest.getTimerCount()).toBe(0);
  });
});
