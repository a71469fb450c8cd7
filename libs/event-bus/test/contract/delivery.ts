import { expect, it } from '@jest/globals';
import { eventually } from '@gridbourse/testing';
import type { EncodedRecord } from '../../src/index.ts';
import { Collector, gate, record } from '../records.ts';
import { range, type Suite } from './suite.ts';

/** What is published arrives as it was, in order, in every group. */
export const deliveryContract = ({ connect, newTopic }: Suite): void => {
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

  it('keeps the order of each key in a call of many records, over many keys and topics', async () => {
    const bus = await connect();
    const topics = [newTopic(), newTopic()];
    const collector = new Collector();
    await bus.subscribe({ group: 'many', topics, handler: collector.handler });
    const keys = range(150).map((n) => `key-${n}`);
    // More than one adapter takes at once, and each key comes again and again.
    await bus.publish(
      range(8).flatMap((sequence) =>
        topics.flatMap((topic) => keys.map((key) => record(topic, key, sequence))),
      ),
    );
    await eventually(() => collector.finished.length >= 2_400, { deadlineMs: 30_000 });
    for (const topic of topics) {
      const of = collector.finished.filter((delivery) => delivery.topic === topic);
      for (const key of keys) {
        expect(of.filter((one) => one.key === key).map(({ sequence }) => sequence)).toEqual(range(8));
      }
    }
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
    const values = [{}, null, { text: 'x'.repeat(900_000) }, { odd: '\u0000 \ud800 "\\ 🜂' }, [1, 1e21, -0.5]];
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

  it('carries a value that is JSON already, in its place among others, and within the same limits', async () => {
    const bus = await connect();
    const topic = newTopic();
    const collector = new Collector();
    await bus.subscribe({ group: 'encoded', topics: [topic], handler: collector.handler });
    const encoded = (sequence: number, json: string): EncodedRecord => {
      const { value: _, ...rest } = record(topic, 'e', sequence);
      return { ...rest, json };
    };
    await expect(
      bus.publish([encoded(1, '1'), encoded(2, JSON.stringify('x'.repeat(3_000_000)))]),
    ).rejects.toMatchObject({ code: 'record_too_large' });
    await bus.publish([
      encoded(1, '{ "b": 1.50,\n "a": "\\u0000 é 🜂" }'),
      record(topic, 'e', 2, { plain: true }),
      encoded(3, 'null'),
    ]);
    await eventually(() => collector.finished.length === 3);
    expect(collector.sequencesOf('e')).toEqual([1, 2, 3]);
    expect(collector.finished.map(({ value }) => value)).toEqual([
      { b: 1.5, a: '\u0000 é 🜂' },
      { plain: true },
      null,
    ]);
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

  it('says how far a group is behind, and about nobody but that group', async () => {
    const bus = await connect();
    const topic = newTopic();
    const collector = new Collector();
    const busy = gate();
    collector.during = () => busy.opened;
    await bus.subscribe({ group: 'behind', topics: [topic], handler: collector.handler });
    await bus.publish(range(5).map((n) => record(topic, 'a', n)));
    const total = async (): Promise<{ lag: number; end: number; topics: string[] }> => {
      const partitions = await bus.lag('behind');
      return {
        lag: partitions.reduce((sum, { lag }) => sum + lag, 0),
        end: partitions.reduce((sum, { end }) => sum + end, 0),
        topics: [...new Set(partitions.map((one) => one.topic))],
      };
    };
    await eventually(() => collector.started.length === 1);
    expect(await total()).toEqual({ lag: 5, end: 5, topics: [topic] });
    busy.open();
    await eventually(async () => (await total()).lag === 0, { deadlineMs: 10_000 });
    expect((await total()).end).toBe(5);
    expect(await bus.lag('nobody')).toEqual([]);
  });
};
