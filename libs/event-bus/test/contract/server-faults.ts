import { expect, it } from '@jest/globals';
import { eventually } from '@gridbourse/testing';
import type { Delivery, EventBus } from '../../src/index.ts';
import { record } from '../records.ts';
import { range, type Suite } from './suite.ts';

/** The server of the bus, where a test may stop it. */
export type FaultyServer = {
  stop(): Promise<void>;
  kill(): Promise<void>;
  start(): Promise<void>;
};

/** What the outbox relay does: the same records again until the bus takes them, with growing pauses. */
class Relay {
  refused = 0;
  sequence = 0;
  stopping = false;

  constructor(
    private readonly bus: EventBus,
    private readonly topic: string,
    private readonly keys: readonly string[],
  ) {}

  async run(until: () => boolean): Promise<void> {
    while (!until()) {
      this.sequence += 1;
      await this.publish(this.keys.map((key) => record(this.topic, key, this.sequence)));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  private async publish(records: ReturnType<typeof record>[]): Promise<void> {
    for (let pauseMs = 10; ; pauseMs = Math.min(400, pauseMs * 2)) {
      try {
        return await this.bus.publish(records);
      } catch {
        this.refused += 1;
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    }
  }
}

/** What the inbox of a consumer does, in memory: check and note in one step. */
class Inbox {
  readonly faults: string[] = [];
  private readonly seen = new Map<string, number>();

  readonly handler = ({ key, sequence }: Delivery): Promise<void> => {
    const seen = this.seen.get(key) ?? 0;
    if (sequence > seen + 1) this.faults.push(`${key}: ${sequence} after ${seen}`);
    if (sequence === seen + 1) this.seen.set(key, sequence);
    return Promise.resolve();
  };

  reached(keys: readonly string[], sequence: number): boolean {
    return this.missing(keys, sequence).length === 0;
  }

  /** The keys that have not come so far, with how far they came. */
  missing(keys: readonly string[], sequence: number): string[] {
    return keys
      .filter((key) => this.seen.get(key) !== sequence)
      .map((key) => `${key}: ${this.seen.get(key) ?? 0} of ${sequence}`);
  }
}

/** The server goes and comes back; nothing is lost and everybody comes back by themselves. */
export const serverFaultsContract =
  (server: () => FaultyServer) =>
  ({ connect, newTopic, under }: Suite): void => {
    const keys = range(20).map((n) => `key-${n}`);
    const through = async (fault: (relay: Relay, inbox: Inbox) => Promise<void>): Promise<Relay> => {
      const topic = newTopic();
      const group = `fault-${topic}`;
      const bus = await connect();
      const inbox = new Inbox();
      await bus.subscribe({ group, topics: [topic], handler: inbox.handler });
      const relay = new Relay(bus, topic, keys);
      const relaying = relay.run(() => relay.stopping);
      await eventually(() => relay.sequence > 10 && inbox.reached(keys, relay.sequence - 1));
      await fault(relay, inbox);
      const before = relay.sequence;
      await eventually(() => relay.sequence > before + 10, { deadlineMs: 40_000 });
      relay.stopping = true;
      await relaying;
      await eventually(
        () => {
          expect({ faults: inbox.faults, missing: inbox.missing(keys, relay.sequence) }).toEqual({
            faults: [],
            missing: [],
          });
        },
        { deadlineMs: 40_000 },
      );
      expect(await under().deadLetters.list({ group })).toEqual([]);
      return relay;
    };

    it('survives that the server is restarted', async () => {
      await through(async () => {
        await server().stop();
        await server().start();
      });
    });

    it('survives that the server is killed', async () => {
      await through(async () => {
        await server().kill();
        await server().start();
      });
    });

    it('loses nothing in an outage of ten minutes (all patience and pauses scaled by 60)', async () => {
      const relay = await through(async (relaying) => {
        await server().stop();
        const since = performance.now();
        await eventually(() => performance.now() - since >= 10_000, { deadlineMs: 20_000, everyMs: 100 });
        // It was refused again and again, and went on.
        expect(relaying.refused).toBeGreaterThanOrEqual(3);
        await server().start();
      });
      expect(relay.refused).toBeGreaterThanOrEqual(3);
    });
  };
