// Kafka itself is not here: a scripted client of it gives each answer at the moment that a test asks for, which no broker does.
import { silentLogger } from '@gridbourse/observability';
import { eventually } from '@gridbourse/testing';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Consumer, EachBatchPayload, Kafka, KafkaMessage } from 'kafkajs';
import { Collector, record } from '../../test/records.ts';
import { createNoopMeter } from '@opentelemetry/api';
import { BusMetrics } from '../metrics.ts';
import { KafkaGroupConsumer } from './group-consumer.ts';
import type { Start } from './group-offsets.ts';
import { kafkaConfig } from './kafka-config.ts';
import type { OwnerDatabase, Partition } from './owner-database.ts';
import type { Publisher } from './publisher.ts';

const TOPIC = 'gridbourse.test.thing';

class ScriptedConsumer {
  readonly events = { GROUP_JOIN: 'join', CRASH: 'crash' };
  readonly commits: { offsets: string[]; answer: PromiseWithResolvers<void> }[] = [];
  running = false;
  /** Commits wait for an answer of the test; otherwise they succeed. */
  holdsCommits = false;
  private readonly listeners = new Map<string, (event: { payload: unknown }) => void>();
  private eachBatch: ((payload: EachBatchPayload) => Promise<void>) | undefined;
  nextOffset = 0;

  on(event: string, listener: (event: { payload: unknown }) => void): void {
    this.listeners.set(event, listener);
  }
  connect = (): Promise<void> => Promise.resolve();
  subscribe = (): Promise<void> => Promise.resolve();
  disconnect = (): Promise<void> => Promise.resolve();
  pause(): void {}
  resume(): void {}
  /** Kafka is read from there next. */
  seek({ offset }: { offset: string }): void {
    this.nextOffset = Number(offset);
  }
  run({ eachBatch }: { eachBatch: (payload: EachBatchPayload) => Promise<void> }): Promise<void> {
    this.eachBatch = eachBatch;
    this.running = true;
    return Promise.resolve();
  }
  commitOffsets(offsets: { offset: string }[]): Promise<void> {
    const answer = Promise.withResolvers<void>();
    this.commits.push({ offsets: offsets.map(({ offset }) => offset), answer });
    if (!this.holdsCommits) answer.resolve();
    return answer.promise;
  }

  /** The group has been formed, and this member has the one partition, or none. */
  join(partitions = [0]): void {
    this.listeners.get('join')!({ payload: { memberAssignment: { [TOPIC]: partitions } } });
  }
  /** Kafka was lost; kafkajs says that it tries again. */
  lose(): void {
    this.listeners.get('crash')!({ payload: { error: new Error('connection lost'), restart: true } });
  }
  /** Fetches the next record until it is taken over. @param keyOf which key the record of an offset has */
  async deliver(keyOf: string | ((offset: number) => string)): Promise<void> {
    while (!(await this.offer(keyOf)));
  }
  /** Fetches the next record. @returns whether it was taken over */
  async offer(keyOf: string | ((offset: number) => string)): Promise<boolean> {
    const offset = this.nextOffset;
    const key = typeof keyOf === 'string' ? keyOf : keyOf(offset);
    const { value, headers } = record(TOPIC, key, 1);
    const message = { key: Buffer.from(key), value: Buffer.from(JSON.stringify(value)), headers };
    const messages = [{ ...message, offset: String(offset) } as unknown as KafkaMessage];
    let taken = false;
    await this.eachBatch!({
      batch: {
        ...{ topic: TOPIC, partition: 0, messages },
        ...{ fetchedOffset: String(offset), lastOffset: () => String(offset) },
      },
      resolveOffset: () => (taken = true),
      heartbeat: () => Promise.resolve(),
    } as unknown as EachBatchPayload);
    if (taken) this.nextOffset = offset + 1;
    return taken;
  }
}

describe('a member of a group', () => {
  const clients: ScriptedConsumer[] = [];
  let member: KafkaGroupConsumer;

  /** What the service's database and Kafka's coordinator answer. */
  let epoch: number;
  let claims: (() => Promise<void>) | undefined;
  let offsets: { committed: Start; earliest: number };
  beforeEach(() => {
    epoch = 1;
    claims = undefined;
    offsets = { committed: 'nothing committed', earliest: 0 };
  });

  const start = async (timing = {}): Promise<{ client: ScriptedConsumer; handled: Collector }> => {
    const handled = new Collector();
    const epochs = (partitions: readonly Partition[]) =>
      partitions.map((partition) => ({ ...partition, epoch: String(epoch) }));
    const database = {
      epochs: (_group: string, partitions: readonly Partition[]) => Promise.resolve(epochs(partitions)),
      claim: async (_group: string, partitions: readonly Partition[]) => {
        if (partitions.length > 0) await claims?.();
        return epochs(partitions);
      },
      keysToReplay: () => Promise.resolve([]),
      lettersOf: () => ({ parkedKeys: () => Promise.resolve([]) }),
    } as unknown as OwnerDatabase;
    const kafka = {
      consumer: () => {
        const client = new ScriptedConsumer();
        clients.push(client);
        return client as unknown as Consumer;
      },
    } as unknown as Kafka;
    member = new KafkaGroupConsumer(
      { group: 'test', topics: [TOPIC], handler: handled.handler },
      {
        config: { ...kafkaConfig.parse({ brokers: ['localhost:1'] }), ...timing },
        concurrency: 4,
        maxUnsettled: 100,
        retry: { attempts: 1, firstDelayMs: 1, factor: 1, maxDelayMs: 1 },
        graceMs: 100,
        pollMs: 10_000,
      },
      {
        ...{ kafka, database, publisher: {} as Publisher },
        offsets: {
          committed: (_group, partitions) => Promise.resolve(partitions.map(() => offsets.committed)),
          earliest: () => Promise.resolve(offsets.earliest),
        },
        ...{ logger: silentLogger, metrics: new BusMetrics(createNoopMeter()) },
      },
    );
    member.start();
    await eventually(() => clients[0]?.running === true);
    return { client: clients[0]!, handled };
  };
  const notAMember = (): Error => Object.assign(new Error('not yours'), { type: 'ILLEGAL_GENERATION' });

  afterEach(async () => {
    await member.close();
    clients.length = 0;
  });

  it('goes on when a late answer says that its last membership is over', async () => {
    const { client, handled } = await start();
    client.holdsCommits = true;
    client.join();
    await client.deliver('a');
    await eventually(() => client.commits.length === 1);
    client.holdsCommits = false;
    client.join();
    await client.deliver('b');
    await eventually(() => handled.sequencesOf('b').length === 1);
    client.commits[0]!.answer.reject(notAMember());
    await eventually(() => client.commits.length === 2);
    expect(client.commits[1]!.offsets).toEqual(['2']);
    await client.deliver('c');
    await eventually(() => handled.sequencesOf('c').length === 1);
  });

  it('begins nothing more once it hears that it is no member, until it has joined again', async () => {
    const { client, handled } = await start();
    client.holdsCommits = true;
    client.join();
    await client.deliver('a');
    await eventually(() => client.commits.length === 1);
    client.holdsCommits = false;
    client.commits[0]!.answer.reject(notAMember());
    let taken = false;
    const delivery = client.deliver('b').then(() => (taken = true));
    // A whole round of other work passes and the record is still not taken.
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect({ taken, started: handled.started.length }).toEqual({ taken: false, started: 1 });
    client.join();
    await delivery;
    await eventually(() => handled.sequencesOf('b').length === 1);
  });

  it('is made anew when its client says that it tries again and never does', async () => {
    const { client } = await start({ rebalanceTimeoutMs: 20, sessionTimeoutMs: 20, heartbeatMs: 5 });
    client.join();
    await client.deliver('a');
    client.lose();
    await eventually(() => clients.length === 2 && clients[1]!.running);
    clients[1]!.join();
    await clients[1]!.deliver('b');
  });

  it('is not heard any more once it is over, whatever its client had begun', async () => {
    const { client, handled } = await start();
    client.join();
    await client.deliver('a');
    client.lose();
    await eventually(() => clients.length === 2 && clients[1]!.running);
    clients[1]!.join();
    clients[1]!.nextOffset = 1;
    await clients[1]!.deliver('b');
    client.join([]);
    expect(await client.offer('late')).toBe(false);
    await clients[1]!.deliver('c');
    await eventually(() => handled.sequencesOf('c').length === 1);
    expect(handled.started.map(({ key }) => key)).toEqual(['a', 'b', 'c']);
  });

  it('is made anew when it has joined again but can never begin', async () => {
    const { client } = await start({ rebalanceTimeoutMs: 20, sessionTimeoutMs: 20, heartbeatMs: 5 });
    client.holdsCommits = true;
    client.join();
    await client.deliver('a');
    await eventually(() => client.commits.length === 1);
    client.commits[0]!.answer.reject(notAMember());
    // Meanwhile another had the partition, and the database does not answer.
    epoch = 2;
    claims = () => new Promise(() => {});
    await new Promise(setImmediate);
    client.join();
    await eventually(() => clients.length === 2);
  });

  it('lets no adoption that was overtaken have the last word', async () => {
    const { client, handled } = await start();
    const gate = Promise.withResolvers<void>();
    const claimed: string[] = [];
    // Each claim counts the epoch up, and only the latest may write: the last to claim must be the one that goes on.
    claims = async () => {
      const mine = epoch;
      claimed.push(`begins ${mine}`);
      if (mine === 1) await gate.promise;
      claimed.push(`ends ${mine}`);
    };
    client.join();
    await eventually(() => claimed.length === 1);
    epoch = 2;
    offsets.committed = 3;
    client.join();
    await new Promise(setImmediate);
    gate.resolve();
    client.nextOffset = 3;
    await client.deliver('a');
    await eventually(() => handled.sequencesOf('a').length === 1);
    await eventually(() => client.commits.length === 1);
    expect({ claimed, commits: client.commits.map((commit) => commit.offsets) }).toEqual({
      claimed: ['begins 1', 'ends 1', 'begins 2', 'ends 2'],
      commits: [['4']],
    });
  });

  const keyOfOffset = (offset: number): string => `k${offset}`;

  it.each(['nothing committed', 7] as const)(
    'does not take what was fetched from the place of before, and has the rest fetched again (committed: %s)',
    async (committed) => {
      const { client, handled } = await start();
      offsets.committed = committed;
      client.nextOffset = committed === 7 ? committed : 0;
      client.join();
      if (committed !== 7) await client.deliver(keyOfOffset);
      const place = client.nextOffset;
      client.join();
      client.nextOffset = place + 2;
      await client.deliver(keyOfOffset);
      await client.deliver(keyOfOffset);
      await client.deliver(keyOfOffset);
      const expected = [place, place + 1, place + 2].map(keyOfOffset);
      await eventually(() => expected.every((key) => handled.sequencesOf(key).length === 1));
      expect(handled.started.map(({ key }) => key).slice(-3)).toEqual(expected);
    },
  );

  it('goes on behind records that Kafka has deleted', async () => {
    const { client, handled } = await start();
    offsets = { committed: 7, earliest: 9 };
    client.nextOffset = 9;
    client.join();
    await client.deliver(keyOfOffset);
    await eventually(() => handled.sequencesOf('k9').length === 1);
    await eventually(() => client.commits.at(-1)?.offsets[0] === '10');
  });
});
