import type { BusRecord } from '@gridbourse/event-bus';
import { percentile } from '../frame/statistics.ts';
import { Load } from './load.ts';

/** What carries records: a bus with a service behind it, or a peer. Each has a topic of its own, empty at first. */
export type Subject = {
  publish(records: readonly BusRecord[]): Promise<void>;
  /** Calls back after each record has been handled for good. */
  onHandled(callback: (sentAtMs: number) => void): void;
  close(): Promise<void>;
};

export type Measured = { eventsPerSecond: number; latencyMsP50: number; latencyMsP99: number };

const BATCH = 500;
const TICK_MS = 10;
const WARM_UP_EVENTS = 2_000;

class Count {
  private reached = 0;
  private goal = Infinity;
  private done: PromiseWithResolvers<void> | null = null;

  add(): void {
    this.reached += 1;
    if (this.reached >= this.goal) this.done?.resolve();
  }

  async more(count: number, work: () => Promise<void>): Promise<void> {
    this.goal = this.reached + count;
    this.done = Promise.withResolvers<void>();
    await work();
    await this.done.promise;
  }
}

/** Publishing and handling at once, as fast as it goes; then at a steady rate, for the latency. */
export const measure = async (
  subject: Subject,
  options: { events: number; payloadBytes: number; ratePerSecond: number; seconds: number },
): Promise<Measured> => {
  const load = new Load(options.payloadBytes);
  const count = new Count();
  let latencies: number[] | null = null;
  subject.onHandled((sentAtMs) => {
    latencies?.push(performance.now() - sentAtMs);
    count.add();
  });
  const flood = (events: number) => async (): Promise<void> => {
    for (let sent = 0; sent < events; sent += BATCH) await subject.publish(load.next(BATCH));
  };
  await count.more(WARM_UP_EVENTS, flood(WARM_UP_EVENTS));
  const from = performance.now();
  await count.more(options.events, flood(options.events));
  const eventsPerSecond = (options.events / (performance.now() - from)) * 1_000;

  const each = Math.max(1, Math.round((options.ratePerSecond * TICK_MS) / 1_000));
  const ticks = Math.round((options.seconds * 1_000) / TICK_MS);
  latencies = [];
  await count.more(ticks * each, async () => {
    const sends: Promise<void>[] = [];
    const start = performance.now();
    for (let tick = 0; tick < ticks; tick += 1) {
      const waitMs = start + tick * TICK_MS - performance.now();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      sends.push(subject.publish(load.next(each)));
    }
    await Promise.all(sends);
  });
  return {
    eventsPerSecond: Math.round(eventsPerSecond),
    latencyMsP50: percentile(latencies, 0.5),
    latencyMsP99: percentile(latencies, 0.99),
  };
};
