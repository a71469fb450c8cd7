import type { BusRecord } from '@gridbourse/event-bus';
import { perSecond } from '../frame/statistics.ts';
import { Load } from './load.ts';

/** What carries records: a bus with a service behind it, or a peer. Each has a topic of its own, empty at first. */
export type Subject = {
  publish(records: readonly BusRecord[]): Promise<void>;
  /** Calls back after each record has been handled for good. */
  onHandled(callback: (sentAtMs: number) => void): void;
  close(): Promise<void>;
};

const BATCH = 500;
const TICK_MS = 10;

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

/** Loads a subject: as fast as it goes, or at a steady rate. */
export class Driver {
  private readonly load: Load;
  private readonly count = new Count();
  private latencies: number[] | null = null;

  constructor(
    private readonly subject: Subject,
    payloadBytes: number,
  ) {
    this.load = new Load(payloadBytes);
    subject.onHandled((sentAtMs) => {
      this.latencies?.push(performance.now() - sentAtMs);
      this.count.add();
    });
  }

  /** Publishing and handling at once, as fast as it goes. @returns events a second, from the first sent to the last handled */
  async flood(events: number): Promise<number> {
    const from = performance.now();
    await this.count.more(events, async () => {
      for (let sent = 0; sent < events; sent += BATCH) {
        await this.subject.publish(this.load.next(Math.min(BATCH, events - sent)));
      }
    });
    return perSecond(events, performance.now() - from);
  }

  /** @returns milliseconds from the publishing of each event to the commit of its effect */
  async steady(ratePerSecond: number, seconds: number): Promise<number[]> {
    const each = Math.max(1, Math.round((ratePerSecond * TICK_MS) / 1_000));
    const ticks = Math.round((seconds * 1_000) / TICK_MS);
    const latencies: number[] = [];
    this.latencies = latencies;
    await this.count.more(ticks * each, async () => {
      const sends: Promise<void>[] = [];
      const start = performance.now();
      for (let tick = 0; tick < ticks; tick += 1) {
        const waitMs = start + tick * TICK_MS - performance.now();
        if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
        sends.push(this.subject.publish(this.load.next(each)));
      }
      await Promise.all(sends);
    });
    this.latencies = null;
    return latencies;
  }

  close(): Promise<void> {
    return this.subject.close();
  }
}
