import { expect, it } from '@jest/globals';
import { eventually } from '@gridbourse/testing';
import { seededRandom } from '@gridbourse/kernel';
import type { Delivery } from '../../src/index.ts';
import { Collector, gate, record } from '../records.ts';
import { quick, range, type Suite } from './suite.ts';

/** Members of a group share the work, take over from each other, and leave in order. */
export const membersContract = ({ connect, newTopic, under }: Suite): void => {
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
    await under().kill('heirs');
    await b.subscribe({ group: 'heirs', topics: [topic], handler: cb.handler });
    await eventually(() => cb.finished.length === 20, { deadlineMs: 30_000 });
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
    const first = await connect({
      retry: { attempts: 10, firstDelayMs: 60_000, factor: 1, maxDelayMs: 60_000 },
    });
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
      await connect({ retry: { ...quick, attempts: 1_000 } }),
      await connect({ retry: { ...quick, attempts: 1_000 } }),
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
      if (random.next() < 0.2) await under().kill('chaos');
    }
    await eventually(() => keys.every((key) => inbox.get(key) === 30), { deadlineMs: 60_000 }).catch(
      (error: unknown) => {
        throw new Error(`seed ${seed}: ${JSON.stringify([...inbox])}`, { cause: error });
      },
    );
    expect({ seed, faults }).toEqual({ seed, faults: [] });
    expect(await under().deadLetters.list({ group: 'chaos', topic })).toEqual([]);
  });
};
