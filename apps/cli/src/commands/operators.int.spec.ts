import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { AnsweringPlatform, lines } from '../../test/answering-platform.ts';

// Real: the commands, the SDK, HTTP. The platform is a server that answers what a test tells it; `apps/standalone` has
// the same commands against a platform.

let platform: AnsweringPlatform;

beforeAll(async () => {
  platform = await AnsweringPlatform.start();
});
afterAll(() => platform.stop());
beforeEach(() => platform.begin());
afterEach(() => platform.end());

const SERVICES = ['registry', 'matchmaker', 'orchestrator', 'billing', 'chain-indexer'];
const letter = (id: string, more: object = {}) => ({
  ...{
    id,
    topic: 'gridbourse.a.b',
    deadLetterTopic: 'gridbourse.a.b.dlq',
    key: `key ${id}`,
    state: 'failed',
  },
  ...{ error: 'Error: one\nat two', errorCode: 'unknown_event', attempts: 8, skipReason: null },
  ...{ deadAt: '2026-01-02T03:04:05.678Z', settledAt: null },
  ...more,
});
const model = (more: object = {}) => ({
  ...{ name: 'chain', tables: ['a', 'b'], state: 'idle', progress: null, lastRebuild: null, failure: null },
  ...more,
});
const ended = (finishedAt: string, events = 42) =>
  model({ lastRebuild: { events, startedAt: '2026-01-01T00:00:00.000Z', finishedAt } });

describe('bus dead-letters', () => {
  it('asks every service, or one, with the filters, and shows a line for each', async () => {
    for (const [n, service] of SERVICES.entries()) {
      const items = [letter(String(n), n === 0 ? { error: null, errorCode: null, state: 'waiting' } : {})];
      platform.answer(`GET /services/${service}/ops/dead-letters`, { items, nextCursor: null });
    }
    const shown = lines(
      await platform.run('bus', 'dead-letters', 'ls', '--key', 'a b', '--topic', 't', '--settled'),
    );
    expect(platform.asked.map(({ method, url, key }) => [method, url, key])).toEqual(
      SERVICES.map((service) => [
        'GET',
        expect.stringMatching(`^/services/${service}/ops/dead-letters\\?`) as unknown as string,
        'Bearer gbk_operator',
      ]),
    );
    for (const { url } of platform.asked) {
      expect(Object.fromEntries(new URL(url, platform.origin).searchParams)).toEqual({
        ...{ key: 'a b', topic: 't', settled: 'true', limit: '50' },
      });
    }
    expect(shown[0]).toMatch(/^service +id +topic +key +state +tries +since +code +error$/);
    expect(shown[1]).toMatch(/^registry +0 +gridbourse.a.b +key 0 +waiting +8 +2026-01-02T03:04:05 +-$/);
    expect(shown[5]).toMatch(
      /^chain-indexer +4 +gridbourse.a.b +key 4 +failed +8 +2026-01-02T03:04:05 +unknown_event +Error: one$/,
    );
    platform.asked = [];
    const json = JSON.parse(
      await platform.run('--json', 'bus', 'dead-letters', 'ls', '--service', 'billing', '--limit', '7'),
    );
    expect(platform.asked.map(({ url }) => url)).toEqual(['/services/billing/ops/dead-letters?limit=7']);
    expect(json).toEqual({ items: [{ service: 'billing', ...letter('3') }] });
  });

  it('says when there are none', async () => {
    platform.answer('GET /services/billing/ops/dead-letters', { items: [], nextCursor: null });
    expect(await platform.run('bus', 'dead-letters', 'ls', '--service', 'billing')).toBe('There are none.\n');
    expect(
      JSON.parse(await platform.run('--json', 'bus', 'dead-letters', 'ls', '--service', 'billing')),
    ).toEqual({
      items: [],
    });
  });

  it('shows one with its record', async () => {
    const one = { ...letter('7'), headers: { ce_id: 'x@1' }, value: { deep: [1] } };
    platform.answer('GET /services/matchmaker/ops/dead-letters/7', one);
    const shown = await platform.run('bus', 'dead-letters', 'show', 'matchmaker', '7');
    expect(shown).toMatch(/^errorCode +unknown_event/m);
    expect(shown).toMatch(/^skipReason +-/m);
    expect(shown).toContain('\nError: one\nat two\n');
    expect(shown).toContain('"ce_id": "x@1"');
    expect(shown).toContain('"deep": [\n');
    expect(
      JSON.parse(await platform.run('--json', 'bus', 'dead-letters', 'show', 'matchmaker', '7')),
    ).toEqual(one);
  });

  it('asks for a replay and a skip of that service, key and letter, and no other', async () => {
    platform.answer('POST /services/billing/ops/dead-letters/replay', { accepted: true });
    platform.answer('POST /services/billing/ops/dead-letters/9/skip', { accepted: true });
    expect(await platform.run('bus', 'dead-letters', 'replay', 'billing', 'a.topic', 'a key')).toBe(
      'asked for: billing takes a key of a.topic up again\n',
    );
    expect(
      await platform.run('bus', 'dead-letters', 'skip', 'billing', '9', '--reason', 'nobody needs it'),
    ).toBe('asked for: billing skips 9\n');
    expect(platform.asked.map(({ method, url, body }) => [method, url, body])).toEqual([
      ['POST', '/services/billing/ops/dead-letters/replay', { topic: 'a.topic', key: 'a key' }],
      ['POST', '/services/billing/ops/dead-letters/9/skip', { reason: 'nobody needs it' }],
    ]);
    expect(
      JSON.parse(await platform.run('--json', 'bus', 'dead-letters', 'replay', 'billing', 't', 'k')),
    ).toEqual({
      ...{ service: 'billing', topic: 't', key: 'k', accepted: true },
    });
    expect(
      JSON.parse(
        await platform.run('--json', 'bus', 'dead-letters', 'skip', 'billing', '9', '--reason', 'r'),
      ),
    ).toEqual({
      ...{ service: 'billing', id: '9', accepted: true },
    });
  });

  it.each([
    ['ls', ['--service', 'nope']],
    ['show', ['nope', '1']],
    ['replay', ['nope', 't', 'k']],
    ['skip', ['nope', '1', '--reason', 'r']],
  ])('%s knows the services, and asks none that is none', async (command, args) => {
    await expect(platform.run('bus', 'dead-letters', command, ...args)).rejects.toMatchObject({
      code: 'unknown_service',
    });
    expect(platform.asked).toEqual([]);
  });
});

describe('bus lag', () => {
  it('counts topics, partitions and events of every service', async () => {
    const partition = (topic: string, n: number, lag: number) => ({
      ...{ topic, partition: n, committed: 1, end: 1 + lag, lag },
    });
    for (const [n, service] of SERVICES.entries()) {
      platform.answer(`GET /services/${service}/ops/bus`, {
        partitions: [partition('t', 0, 3), partition('t', 1, 0), partition('u', 0, 4)],
        lag: n,
      });
    }
    const shown = lines(await platform.run('bus', 'lag'));
    expect(shown[0]).toMatch(/^service +topics +partitions +behind$/);
    expect(shown.slice(1).map((line) => line.split(/ +/))).toEqual(
      SERVICES.map((name, n) => [name, '2', '3', String(n)]),
    );
    const { services } = JSON.parse(await platform.run('--json', 'bus', 'lag')) as {
      services: Record<string, { lag: number }>;
    };
    expect(Object.keys(services)).toEqual(SERVICES);
    expect(Object.values(services).map(({ lag }) => lag)).toEqual([0, 1, 2, 3, 4]);
  });
});

describe('read-models', () => {
  const AT = 'GET /services/billing/ops/read-models/chain';
  const BEGIN = 'POST /services/billing/ops/read-models/chain/rebuild';

  it('ls shows those of every service, or of one, with how far a rebuild is', async () => {
    const progress = { events: 7, left: 100_000, startedAt: '2026-01-01T00:00:00.000Z' };
    for (const service of SERVICES) {
      const items = [
        ended('2026-01-02T03:04:05.678Z'),
        model({ name: 'x', state: 'interrupted', progress, failure: { code: 'no_luck', detail: 'd' } }),
      ];
      platform.answer(`GET /services/${service}/ops/read-models`, { items });
    }
    const shown = lines(await platform.run('read-models', 'ls'));
    expect(shown).toHaveLength(11);
    expect(shown[0]).toMatch(/^service +model +tables +state +last rebuilt +failure$/);
    expect(shown[1]).toMatch(/^registry +chain +a, b +idle +2026-01-02T03:04:05 +-$/);
    expect(shown[10]).toMatch(
      /^chain-indexer +x +a, b +interrupted: 7 events, 100000 or more left +- +no_luck$/,
    );
    platform.asked = [];
    const { items } = JSON.parse(
      await platform.run('--json', 'read-models', 'ls', '--service', 'billing'),
    ) as {
      items: { service: string }[];
    };
    expect(platform.asked.map(({ url }) => url)).toEqual(['/services/billing/ops/read-models']);
    expect(items).toMatchObject([
      { service: 'billing', name: 'chain' },
      { service: 'billing', name: 'x' },
    ]);
  });

  it('rebuild begins one, shows its progress, and waits for its end', async () => {
    const progress = { events: 5, left: 6, startedAt: '2026-01-01T00:00:00.000Z' };
    const running = { ...ended('before', 1), state: 'rebuilding', progress };
    const exchanged = { ...ended('after', 42), state: 'rebuilding' };
    platform.answer(
      AT,
      ...[ended('before', 1), ended('before', 1), running, running, exchanged, ended('after', 42)],
    );
    platform.answer(BEGIN, { accepted: true });
    expect(lines(await platform.run('read-models', 'rebuild', 'billing', 'chain'))).toEqual([
      'rebuilding: 5 events, 6 left',
      'chain of billing was made anew from 42 events',
    ]);
    expect(platform.asked.map(({ method }) => method)).toEqual([
      'GET',
      'POST',
      'GET',
      'GET',
      'GET',
      'GET',
      'GET',
    ]);
  });

  it('rebuild can be left alone', async () => {
    platform.answer(AT, model());
    platform.answer(BEGIN, { accepted: true });
    expect(
      JSON.parse(await platform.run('--json', 'read-models', 'rebuild', 'billing', 'chain', '--detach')),
    ).toEqual({
      ...{ service: 'billing', name: 'chain', accepted: true },
    });
    expect(platform.asked).toHaveLength(2);
  });

  it('rebuild tells why it failed, or that it was interrupted', async () => {
    platform.answer(BEGIN, { accepted: true });
    const failure = { code: 'journal_incomplete', detail: 'not everything is there' };
    platform.answer(AT, model(), model({ failure }));
    await expect(platform.run('read-models', 'rebuild', 'billing', 'chain')).rejects.toMatchObject({
      ...{ kind: 'conflict', code: 'journal_incomplete', message: 'not everything is there' },
    });
    const progress = { events: 5, left: 6, startedAt: '2026-01-01T00:00:00.000Z' };
    platform.answer(AT, model(), model({ state: 'interrupted', progress }));
    await expect(platform.run('read-models', 'rebuild', 'billing', 'chain')).rejects.toMatchObject({
      code: 'rebuild_interrupted',
    });
  });

  it('abort ends it', async () => {
    platform.answer('POST /services/billing/ops/read-models/chain/abort', { accepted: true });
    expect(await platform.run('read-models', 'abort', 'billing', 'chain')).toBe(
      'billing has no rebuild of chain any more\n',
    );
    expect(platform.asked).toHaveLength(1);
  });
});
