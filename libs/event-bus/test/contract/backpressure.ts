import { expect, it } from '@jest/globals';
import { eventually } from '@gridbourse/testing';
import { Collector, gate, record } from '../records.ts';
import { range, type Suite } from './suite.ts';

/** A consumer that is slow, or one that changes its members, neither floods nor loses nor doubles anything. */
export const backpressureContract = ({ connect, newTopic }: Suite): void => {
  it('hands out no more records than may be unsettled, and goes on where there is room', async () => {
    const limit = 20;
    const bus = await connect({ maxUnsettled: limit, concurrency: 1_000 });
    const [slow, quick] = [newTopic(), newTopic()];
    const collector = new Collector();
    const opened = gate();
    collector.during = ({ topic }) => (topic === slow ? opened.opened : undefined);
    await bus.subscribe({ group: `pressed-${slow}`, topics: [slow, quick], handler: collector.handler });
    const keys = range(600).map((n) => `key-${n}`);
    await bus.publish(keys.map((key) => record(slow, key, 1)));
    await bus.publish(keys.map((key) => record(quick, key, 1)));
    // All of the quick topic passes, though no partition of the slow one has room left.
    await eventually(() => collector.finished.length === keys.length, { deadlineMs: 20_000 });
    const held = collector.started.filter(({ topic }) => topic === slow).length;
    expect(held).toBeLessThanOrEqual(8 * limit);
    expect(held).toBeGreaterThan(0);
    opened.open();
    await eventually(() => collector.finished.length === 2 * keys.length, { deadlineMs: 20_000 });
    expect(collector.started).toHaveLength(2 * keys.length);
  });

  it('neither loses nor doubles anything while members come and go in mid batch', async () => {
    const topic = newTopic();
    const group = `moving-${topic}`;
    const collector = new Collector();
    collector.during = () => new Promise((resolve) => setImmediate(resolve));
    const first = await connect();
    await first.subscribe({ group, topics: [topic], handler: collector.handler });
    const keys = range(50).map((n) => `key-${n}`);
    for (const sequence of range(40)) {
      await first.publish(keys.map((key) => record(topic, key, sequence)));
      if (sequence % 10 !== 5) continue;
      const guest = await connect();
      const subscription = await guest.subscribe({ group, topics: [topic], handler: collector.handler });
      if (sequence > 20) await subscription.close();
    }
    await eventually(() => new Set(collector.finished.map((d) => `${d.key} ${d.sequence}`)).size === 2_000, {
      deadlineMs: 30_000,
    });
    // Partitions change hands when nothing of them is in hand, so nothing is handled twice, and order is kept.
    for (const key of keys) expect(collector.sequencesOf(key)).toEqual(range(40));
  });

  it('keeps a member in its group while a handler takes longer than the session', async () => {
    const topic = newTopic();
    const group = `patient-${topic}`;
    const bus = await connect();
    const collector = new Collector();
    const long = gate();
    collector.during = ({ key }) => (key === 'long' ? long.opened : undefined);
    await bus.subscribe({ group, topics: [topic], handler: collector.handler });
    await bus.publish([record(topic, 'long', 1)]);
    await eventually(() => collector.started.length === 1);
    const since = performance.now();
    let sequence = 0;
    await eventually(
      async () => {
        sequence += 1;
        await bus.publish([record(topic, 'other', sequence)]);
        await eventually(() => collector.sequencesOf('other').length === sequence);
        return performance.now() - since > 4_000;
      },
      { deadlineMs: 20_000, everyMs: 100 },
    );
    long.open();
    await eventually(() => collector.sequencesOf('long').length === 1);
    expect(collector.started.filter(({ key }) => key === 'long')).toHaveLength(1);
    expect(collector.sequencesOf('other')).toEqual(range(sequence));
  });
};
