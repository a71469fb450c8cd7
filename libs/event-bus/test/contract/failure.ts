import { expect, it } from '@jest/globals';
import { eventually } from '@gridbourse/testing';
import { PermanentFailure, RetryLater } from '../../src/index.ts';
import { Collector, gate, record } from '../records.ts';
import { quick, range, type Suite } from './suite.ts';

/** What fails is tried again, kept, replayed and skipped, and holds up its own key only. */
export const failureContract = ({ connect, newTopic, under }: Suite): void => {
  it('tries again what failed, holding back its own key only', async () => {
    const bus = await connect({ retry: { ...quick, attempts: 50, maxDelayMs: 10 } });
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
      const found = await under().deadLetters.list(which);
      return found.length === 3 && found;
    });
    expect(letters.map(({ key, state }) => `${key} ${state}`)).toEqual([
      'bad failed',
      'bad waiting',
      'bad waiting',
    ]);
    expect(letters[0]!.error).toContain('poison');
    expect(letters[0]!.errorCode).toBeNull();
    expect(await under().deadLetters.get(letters[0]!.id)).toEqual(letters[0]);
    await expect(under().deadLetters.get('none')).rejects.toMatchObject({ code: 'dead_letter_not_found' });
    expect(collector.started.filter((d) => d.key === 'bad' && d.sequence === 2)).toHaveLength(quick.attempts);
    await eventually(() => collector.sequencesOf('good').length === 4);
    expect(collector.sequencesOf('bad')).toEqual([1]);

    // Asked too early: it fails again and stays parked.
    await under().deadLetters.replay(which);
    await eventually(() => collector.started.filter((d) => d.key === 'bad' && d.sequence === 2).length === 6);
    expect(collector.sequencesOf('bad')).toEqual([1]);

    fixed = true;
    await bus.publish([record(topic, 'bad', 5)]);
    await eventually(async () => (await under().deadLetters.list(which)).length === 4);
    await eventually(
      async () => {
        await under()
          .deadLetters.replay(which)
          .catch(() => undefined);
        return collector.sequencesOf('bad').length === 5;
      },
      { everyMs: 100 },
    );
    expect(collector.sequencesOf('bad')).toEqual(range(5));
    await eventually(async () => (await under().deadLetters.list(which)).length === 0);
    await bus.publish([record(topic, 'bad', 6)]);
    await eventually(() => collector.sequencesOf('bad').length === 6);
  });

  it('does not try again what can never succeed, and tries for ever what could not be tried', async () => {
    const bus = await connect({ retry: { ...quick, attempts: 2 } });
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
    await eventually(async () => {
      const letters = await under().deadLetters.list({ group: 'kinds', topic });
      expect(letters.map(({ key, errorCode }) => `${key} ${errorCode}`)).toEqual(['never unknown_event']);
    });
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
    await eventually(async () => (await under().deadLetters.list(filter)).length === 2);
    const [letter] = await under().deadLetters.list(filter);
    await expect(under().deadLetters.skip(letter!.id, ' ')).rejects.toMatchObject({ code: 'reason_missing' });
    await under().deadLetters.skip(letter!.id, 'a duplicate of 41');
    await eventually(() => collector.sequencesOf('bad').length === 1);
    expect(skipped).toEqual(['bad 1 a duplicate of 41']);
    await eventually(async () => (await under().deadLetters.list(filter)).length === 0);
    const settled = await under().deadLetters.list({ ...filter, settled: true });
    expect(settled.map(({ state, skipReason }) => [state, skipReason])).toEqual([
      ['skipped', 'a duplicate of 41'],
      ['replayed', null],
    ]);
    await expect(under().deadLetters.skip(letter!.id, 'again')).rejects.toMatchObject({
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
    await eventually(async () => (await under().deadLetters.list(which)).length === 1);
    await first.close();
    const second = await connect();
    await second.publish([record(topic, 'bad', 2), record(topic, 'good', 2)]);
    await second.subscribe({ group: 'parked', topics: [topic], handler: collector.handler });
    await eventually(() => collector.sequencesOf('good').length === 1);
    await eventually(async () => (await under().deadLetters.list(which)).length === 2);
    expect(collector.sequencesOf('bad')).toEqual([]);
  });
};
