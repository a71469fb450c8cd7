import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { seededRandom } from '@gridbourse/kernel';
import { eventually } from '@gridbourse/testing';
import {
  type Delivery,
  type EventBus,
  PermanentFailure,
  type RetryBudget,
  RetryLater,
} from '../src/index.ts';
import { Collector, gate, record } from './records.ts';

export type DeadLetterView = {
  readonly id: string;
  readonly key: string;
  readonly state: string;
  readonly error: string | null;
  readonly skipReason: string | null;
};

/** What an adapter brings so that the contract can be run against it. */
export type BusUnderTest = {
  /** A new member of the same bus: as another process would have it. */
  connect(options: { retry: RetryBudget }): EventBus;
  /** Cuts the members of a group off from the server, as if their processes were killed: nothing is handed over. */
  kill(group: string): Promise<void>;
  readonly deadLetters: {
    list(filter: { group: string; topic: string; settled?: boolean }): Promise<DeadLetterView[]>;
    replay(which: { group: string; topic: string; key: string }): Promise<void>;
    skip(id: string, reason: string): Promise<void>;
  };
  close(): Promise<void>;
};

const quick: RetryBudget = { attempts: 3, firstDelayMs: 5, factor: 2, maxDelayMs: 20 };
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);

/** Everything that services rely on. Each adapter runs it against its real server. */
export const busContract = (name: string, makeBus: () => Promise<BusUnderTest>): void => {
  // A broker starts in seconds, and a member counts as dead after its session.
  jest.setTimeout(90_000);
  describe(`the contract of the bus: ${name}`, () => {
    let under: BusUnderTest;
    let open: EventBus[] = [];
    let topics = 0;

    const connect = async (retry: RetryBudget = quick): Promise<EventBus> => {
      const bus = under.connect({ retry });
      open.push(bus);
      await bus.start();
      return bus;
    };
    const newTopic = (): string => `gridbourse.test.contract-${(topics += 1)}`;

    beforeAll(async () => {
      under = await makeBus();
    });
    afterEach(async () => {
      await Promise.all(open.map((bus) => bus.close()));
      open = [];
    });
    afterAll(() => under.close());

    it('keeps the order of each key, and mixes keys', async () => {
      const bus = await connect();
      const topic = newTopic();
      const collector = new Collector();
      await bus.subscribe({ group: 'order', topics: [topic], handler: collector.handler });
      const keys = range(20).map((n) => `key-${n}`);
      for (const sequence of range(25)) await bus.publish(keys.map((key) => record(topic, key, sequence)));
      await eventually(() => collector.finished.length >= 500);
      for (const key of keys) expect(collector.sequencesOf(key)).toEqual(range(25));
    });

    it('gives every group all records from the first one on, whenever it comes', async () => {
      const bus = await connect();
      const topic = newTopic();
      const [early, late] = [new Collector(), new Collector()];
      await bus.subscribe({ group: 'early', topics: [topic], handler: early.handler });
      await bus.publish(range(10).map((n) => record(topic, 'a', n)));
      await eventually(() => early.finished.length === 10);
      await bus.subscribe({ group: 'late', topics: [topic], handler: late.handler });
      await eventually(() => late.finished.length === 10);
      expect(late.sequencesOf('a')).toEqual(range(10));
    });

    it('subscribes to several topics, and to topics that nobody has published to', async () => {
      const bus = await connect();
      const [a, b] = [newTopic(), newTopic()];
      const collector = new Collector();
      await bus.subscribe({ group: 'several', topics: [a, b], handler: collector.handler });
      await bus.publish([record(b, 'x', 1), record(a, 'x', 1)]);
      await eventually(() => collector.finished.length === 2);
      expect(collector.finished.map((delivery) => delivery.topic).sort()).toEqual([a, b].sort());
    });

    it('gives back what was published: headers, empty and large values, any text', async () => {
      const bus = await connect();
      const topic = newTopic();
      const collector = new Collector();
      await bus.subscribe({ group: 'payload', topics: [topic], handler: collector.handler });
      const values = [
        {},
        null,
        { text: 'x'.repeat(900_000) },
        { odd: '\u0000 \ud800 "\\ 🜂' },
        [1, 1e21, -0.5],
      ];
      const traced = record(topic, 'p', 6);
      await bus.publish(values.map((value, i) => record(topic, 'p', i + 1, value)));
      await bus.publish([
        {
          ...traced,
          headers: { ...traced.headers, traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` },
        },
      ]);
      await eventually(() => collector.finished.length === 6);
      expect(collector.finished.slice(0, 5).map((delivery) => delivery.value)).toEqual(values);
      expect(collector.finished[5]!.headers).toEqual({
        ...traced.headers,
        traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
      });
      expect(collector.finished[5]!.attempt).toBe(1);
    });

    it('refuses records that are not well formed, and publishes none of the call', async () => {
      const bus = await connect();
      const topic = newTopic();
      const collector = new Collector();
      await bus.subscribe({ group: 'refuse', topics: [topic], handler: collector.handler });
      const good = record(topic, 'a', 1);
      const bad = { ...good, headers: { ...good.headers, sequence: 'first' } };
      await expect(bus.publish([good, bad])).rejects.toMatchObject({ code: 'invalid_record' });
      await expect(bus.publish([{ ...good, key: '' }])).rejects.toMatchObject({ code: 'invalid_record' });
      await expect(bus.publish([{ ...good, topic: 'No Topic' }])).rejects.toMatchObject({
        code: 'invalid_record',
      });
      await expect(bus.publish([record(topic, 'a', 1, 'x'.repeat(3_000_000))])).rejects.toMatchObject({
        code: 'record_too_large',
      });
      await bus.publish([good]);
      await eventually(() => collector.finished.length > 0);
      expect(collector.started).toHaveLength(1);
    });

    it('tries again what failed, holding back its own key only', async () => {
      const bus = await connect({ ...quick, attempts: 50, maxDelayMs: 10 });
      const topic = newTopic();
      const collector = new Collector();
      const healed = gate();
      let isHealed = false;
      void healed.opened.then(() => (isHealed = true));
      collector.during = ({ key, sequence }) => {
        if (key === 'sick' && sequence === 1 && !isHealed) throw new Error('not yet');
      };
      await bus.subscribe({ group: 'retry', topics: [topic], handler: collector.handler });
      await bus.publish([record(topic, 'sick', 1), record(topic, 'sick', 2)]);
      const others = range(30).map((n) => record(topic, `well-${n}`, 1));
      await bus.publish(others);
      await eventually(() => collector.finished.length === 30);
      expect(collector.sequencesOf('sick')).toEqual([]);
      healed.open();
      await eventually(() => collector.sequencesOf('sick').length === 2);
      expect(collector.sequencesOf('sick')).toEqual([1, 2]);
      const tries = collector.started.filter(({ key, sequence }) => key === 'sick' && sequence === 1);
      expect(tries.map(({ attempt }) => attempt)).toEqual(range(tries.length));
      expect(tries.length).toBeGreaterThan(1);
    });

    it('makes a dead letter of what always fails, parks its key, loses nothing, and replays in order', async () => {
      const bus = await connect();
      const topic = newTopic();
      const which = { group: 'poison', topic, key: 'bad' };
      const collector = new Collector();
      let fixed = false;
      collector.during = ({ key, sequence }) => {
        if (key === 'bad' && sequence === 2 && !fixed) throw new Error('poison');
      };
      await bus.subscribe({ group: 'poison', topics: [topic], handler: collector.handler });
      for (const n of range(4)) await bus.publish([record(topic, 'bad', n), record(topic, 'good', n)]);
      const letters = await eventually(async () => {
        const found = await under.deadLetters.list(which);
        return found.length === 3 && found;
      });
      expect(letters.map(({ key, state }) => `${key} ${state}`)).toEqual([
        'bad failed',
        'bad waiting',
        'bad waiting',
      ]);
      expect(letters[0]!.error).toContain('poison');
      expect(collector.started.filter((d) => d.key === 'bad' && d.sequence === 2)).toHaveLength(
        quick.attempts,
      );
      await eventually(() => collector.sequencesOf('good').length === 4);
      expect(collector.sequencesOf('bad')).toEqual([1]);

      // Asked too early: it fails again and stays parked.
      await under.deadLetters.replay(which);
      await eventually(
        () => collector.started.filter((d) => d.key === 'bad' && d.sequence === 2).length === 6,
      );
      expect(collector.sequencesOf('bad')).toEqual([1]);

      fixed = true;
      await bus.publish([record(topic, 'bad', 5)]);
      await eventually(async () => (await under.deadLetters.list(which)).length === 4);
      await eventually(
        async () => {
          await under.deadLetters.replay(which).catch(() => undefined);
          return collector.sequencesOf('bad').length === 5;
        },
        { everyMs: 100 },
      );
      expect(collector.sequencesOf('bad')).toEqual(range(5));
      await eventually(async () => (await under.deadLetters.list(which)).length === 0);
      await bus.publish([record(topic, 'bad', 6)]);
      await eventually(() => collector.sequencesOf('bad').length === 6);
    });

    it('does not try again what can never succeed, and tries for ever what could not be tried', async () => {
      const bus = await connect({ ...quick, attempts: 2 });
      const topic = newTopic();
      const collector = new Collector();
      let away = true;
      collector.during = ({ key }) => {
        if (key === 'never') throw new PermanentFailure('unknown_event', 'what is this?');
        if (key === 'away' && away) throw new RetryLater('the database is away');
      };
      await bus.subscribe({ group: 'kinds', topics: [topic], handler: collector.handler });
      await bus.publish([record(topic, 'never', 1), record(topic, 'away', 1)]);
      await eventually(() => collector.started.filter(({ key }) => key === 'away').length > 4);
      const letters = await under.deadLetters.list({ group: 'kinds', topic });
      expect(letters.map(({ key }) => key)).toEqual(['never']);
      expect(collector.started.filter(({ key }) => key === 'never')).toHaveLength(1);
      away = false;
      await eventually(() => collector.sequencesOf('away').length === 1);
    });

    it('skips a dead letter with a reason, telling the consumer, and goes on behind it', async () => {
      const bus = await connect();
      const topic = newTopic();
      const collector = new Collector();
      const skipped: string[] = [];
      collector.during = ({ sequence }) => {
        if (sequence === 1) throw new Error('poison');
      };
      await bus.subscribe({
        group: 'skip',
        topics: [topic],
        handler: collector.handler,
        onSkip: ({ key, sequence }, reason) => {
          skipped.push(`${key} ${sequence} ${reason}`);
          return Promise.resolve();
        },
      });
      await bus.publish([record(topic, 'bad', 1), record(topic, 'bad', 2)]);
      const filter = { group: 'skip', topic };
      await eventually(async () => (await under.deadLetters.list(filter)).length === 2);
      const [letter] = await under.deadLetters.list(filter);
      await expect(under.deadLetters.skip(letter!.id, ' ')).rejects.toMatchObject({ code: 'reason_missing' });
      await under.deadLetters.skip(letter!.id, 'a duplicate of 41');
      await eventually(() => collector.sequencesOf('bad').length === 1);
      expect(skipped).toEqual(['bad 1 a duplicate of 41']);
      await eventually(async () => (await under.deadLetters.list(filter)).length === 0);
      const settled = await under.deadLetters.list({ ...filter, settled: true });
      expect(settled.map(({ state, skipReason }) => [state, skipReason])).toEqual([
        ['skipped', 'a duplicate of 41'],
        ['replayed', null],
      ]);
      await expect(under.deadLetters.skip(letter!.id, 'again')).rejects.toMatchObject({
        code: 'dead_letter_not_found',
      });
    });

    it('keeps a key parked over restarts', async () => {
      const topic = newTopic();
      const first = await connect();
      const collector = new Collector();
      collector.during = ({ sequence }) => {
        if (sequence === 1) throw new Error('poison');
      };
      await first.subscribe({ group: 'parked', topics: [topic], handler: collector.handler });
      await first.publish([record(topic, 'bad', 1)]);
      const which = { group: 'parked', topic, key: 'bad' };
      await eventually(async () => (await under.deadLetters.list(which)).length === 1);
      await first.close();
      const second = await connect();
      await second.publish([record(topic, 'bad', 2), record(topic, 'good', 2)]);
      await second.subscribe({ group: 'parked', topics: [topic], handler: collector.handler });
      await eventually(() => collector.sequencesOf('good').length === 1);
      await eventually(async () => (await under.deadLetters.list(which)).length === 2);
      expect(collector.sequencesOf('bad')).toEqual([]);
    });

    it('shares the keys of a topic between the members of a group, each record to one of them', async () => {
      const topic = newTopic();
      const [a, b] = [await connect(), await connect()];
      const [ca, cb] = [new Collector(), new Collector()];
      await a.subscribe({ group: 'shared', topics: [topic], handler: ca.handler });
      await b.subscribe({ group: 'shared', topics: [topic], handler: cb.handler });
      const keys = range(40).map((n) => `key-${n}`);
      let sequence = 0;
      // Rounds of records until both members have taken their share.
      await eventually(
        async () => {
          sequence += 1;
          await a.publish(keys.map((key) => record(topic, key, sequence)));
          await eventually(() => ca.finished.length + cb.finished.length >= sequence * keys.length);
          return ca.finished.length > 0 && cb.finished.length > 0;
        },
        { everyMs: 100 },
      );
      const all = [...ca.finished, ...cb.finished].map((d) => `${d.key} ${d.sequence}`);
      // Handing over waits for the handlers in hand, so nothing is handled twice.
      expect(new Set(all).size).toBe(all.length);
      expect(all).toHaveLength(sequence * keys.length);
    });

    it('lets the others take over from a member that died without a word, and redelivers what it had in hand', async () => {
      const topic = newTopic();
      const [a, b] = [await connect(), await connect()];
      const [ca, cb] = [new Collector(), new Collector()];
      const stuck = gate();
      ca.during = () => stuck.opened;
      await a.subscribe({ group: 'heirs', topics: [topic], handler: ca.handler });
      await b.publish(range(20).map((n) => record(topic, `key-${n}`, 1)));
      await eventually(() => ca.started.length > 0);
      await under.kill('heirs');
      await b.subscribe({ group: 'heirs', topics: [topic], handler: cb.handler });
      await eventually(() => cb.finished.length === 20, { deadlineMs: 8_000 });
      stuck.open();
    });

    it('finishes what is in hand when it closes, and goes on from there', async () => {
      const topic = newTopic();
      const first = await connect();
      const collector = new Collector();
      const working = gate();
      collector.during = ({ sequence }) => (sequence === 3 ? working.opened : undefined);
      await first.subscribe({ group: 'graceful', topics: [topic], handler: collector.handler });
      await first.publish(range(5).map((n) => record(topic, 'a', n)));
      await eventually(() => collector.started.length === 3);
      const closed = first.close();
      working.open();
      await closed;
      expect(collector.sequencesOf('a')).toEqual([1, 2, 3]);
      await expect(first.publish([record(topic, 'a', 6)])).rejects.toMatchObject({ code: 'bus_closed' });
      const second = await connect();
      await second.subscribe({ group: 'graceful', topics: [topic], handler: collector.handler });
      await eventually(() => collector.finished.length === 5);
      expect(collector.sequencesOf('a')).toEqual([1, 2, 3, 4, 5]);
    });

    it('redelivers after a restart what was being retried, though later keys were handled', async () => {
      const topic = newTopic();
      const first = await connect({ attempts: 10, firstDelayMs: 60_000, factor: 1, maxDelayMs: 60_000 });
      const collector = new Collector();
      let sick = true;
      collector.during = ({ key }) => {
        if (key === 'sick' && sick) throw new Error('not yet');
      };
      await first.subscribe({ group: 'restart', topics: [topic], handler: collector.handler });
      await first.publish([record(topic, 'sick', 1), ...range(20).map((n) => record(topic, `well-${n}`, 1))]);
      await eventually(() => collector.finished.length === 20 && collector.started.length === 21);
      await first.close();
      sick = false;
      const second = await connect();
      await second.subscribe({ group: 'restart', topics: [topic], handler: collector.handler });
      await eventually(() => collector.sequencesOf('sick').length === 1);
    });

    it('has every effect once and in order, whatever fails and dies (seeded)', async () => {
      const topic = newTopic();
      const seed = Number(process.env['BUS_SEED'] ?? 20_261);
      const random = seededRandom(seed);
      const [a, b] = [
        await connect({ ...quick, attempts: 1_000 }),
        await connect({ ...quick, attempts: 1_000 }),
      ];
      // What the inbox of a consumer does, in memory: check and note in one step.
      const inbox = new Map<string, number>();
      const faults: string[] = [];
      const handler = async ({ key, sequence }: Delivery): Promise<void> => {
        if (random.next() < 0.1) throw new Error('before the effect');
        await new Promise((resolve) => setImmediate(resolve));
        const seen = inbox.get(key) ?? 0;
        if (sequence > seen + 1) faults.push(`${key}: ${sequence} after ${seen}`);
        if (sequence === seen + 1) inbox.set(key, sequence);
        if (random.next() < 0.1) throw new Error('after the effect');
      };
      await a.subscribe({ group: 'chaos', topics: [topic], handler });
      await b.subscribe({ group: 'chaos', topics: [topic], handler });
      const keys = range(12).map((n) => `key-${n}`);
      for (const sequence of range(30)) {
        await b.publish(keys.map((key) => record(topic, key, sequence)));
        if (random.next() < 0.2) await under.kill('chaos');
      }
      await eventually(() => keys.every((key) => inbox.get(key) === 30), { deadlineMs: 15_000 }).catch(
        (error: unknown) => {
          throw new Error(`seed ${seed}: ${JSON.stringify([...inbox])}`, { cause: error });
        },
      );
      expect({ seed, faults }).toEqual({ seed, faults: [] });
      expect(await under.deadLetters.list({ group: 'chaos', topic })).toEqual([]);
    });

    it('delivers within milliseconds', async () => {
      const bus = await connect();
      const topic = newTopic();
      const waiting = new Map<number, () => void>();
      await bus.subscribe({
        group: 'latency',
        topics: [topic],
        handler: ({ sequence }) => Promise.resolve(waiting.get(sequence)?.()),
      });
      const took: number[] = [];
      for (const n of range(40)) {
        const arrived = gate();
        waiting.set(n, arrived.open);
        const from = performance.now();
        await bus.publish([record(topic, 'a', n)]);
        await arrived.opened;
        took.push(performance.now() - from);
      }
      took.sort((a, b) => a - b);
      // Far above what it takes (3 to 6 ms on two cores), far below what polling would give.
      expect(took[20]!).toBeLessThan(60);
    });
  });
};
