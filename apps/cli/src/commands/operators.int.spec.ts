import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Command } from 'commander';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

// Real: the commands, the SDK, HTTP. The platform is a server that answers what a test tells it; `apps/standalone` has
// the same commands against a platform.

type Asked = { method: string; url: string; body: unknown; key: string | undefined };

let buildProgram: () => Command;
let server: Server;
let origin: string;
let asked: Asked[];
let answers: Map<string, unknown[]>;
let printed: string;

/** What is answered there: each once, the last one from then on. */
const answer = (route: string, ...values: unknown[]): void => void answers.set(route, values);

beforeAll(async () => {
  // Read when the program is loaded: CI would have colours.
  process.env['NO_COLOR'] = '1';
  ({ buildProgram } = await import('../program.ts'));
  server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      asked.push({
        ...{ method, url, key: headers.authorization },
        body: text === '' ? null : (JSON.parse(text) as unknown),
      });
      const left = answers.get(`${method} ${url.split('?', 1)[0]!}`);
      const value = left && left.length > 1 ? left.shift() : left?.[0];
      response.statusCode = value === undefined ? 404 : 200;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(value ?? { status: 404, code: 'none', detail: `nothing at ${url}` }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));
beforeEach(() => {
  asked = [];
  answers = new Map();
  printed = '';
  jest.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    printed += String(chunk);
    return true;
  });
});
afterEach(() => void jest.restoreAllMocks());

const run = async (...args: string[]): Promise<string> => {
  printed = '';
  const globals = ['--origin', origin, '--api-key', 'gbk_operator'];
  await buildProgram().parseAsync(['node', 'gridbourse', ...globals, ...args]);
  return printed;
};
const lines = (text: string): string[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => line.trimEnd());

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
      answer(`GET /services/${service}/ops/dead-letters`, { items, nextCursor: null });
    }
    const shown = lines(await run('bus', 'dead-letters', 'ls', '--key', 'a b', '--topic', 't', '--settled'));
    expect(asked.map(({ method, url, key }) => [method, url, key])).toEqual(
      SERVICES.map((service) => [
        'GET',
        expect.stringMatching(`^/services/${service}/ops/dead-letters\\?`) as unknown as string,
        'Bearer gbk_operator',
      ]),
    );
    for (const { url } of asked) {
      expect(Object.fromEntries(new URL(url, origin).searchParams)).toEqual({
        ...{ key: 'a b', topic: 't', settled: 'true', limit: '50' },
      });
    }
    expect(shown[0]).toMatch(/^service +id +topic +key +state +tries +since +code +error$/);
    expect(shown[1]).toMatch(/^registry +0 +gridbourse.a.b +key 0 +waiting +8 +2026-01-02T03:04:05 +-$/);
    expect(shown[5]).toMatch(
      /^chain-indexer +4 +gridbourse.a.b +key 4 +failed +8 +2026-01-02T03:04:05 +unknown_event +Error: one$/,
    );
    asked = [];
    const json = JSON.parse(
      await run('--json', 'bus', 'dead-letters', 'ls', '--service', 'billing', '--limit', '7'),
    );
    expect(asked.map(({ url }) => url)).toEqual(['/services/billing/ops/dead-letters?limit=7']);
    expect(json).toEqual({ items: [{ service: 'billing', ...letter('3') }] });
  });

  it('says when there are none', async () => {
    answer('GET /services/billing/ops/dead-letters', { items: [], nextCursor: null });
    expect(await run('bus', 'dead-letters', 'ls', '--service', 'billing')).toBe('There are none.\n');
    expect(JSON.parse(await run('--json', 'bus', 'dead-letters', 'ls', '--service', 'billing'))).toEqual({
      items: [],
    });
  });

  it('shows one with its record', async () => {
    const one = { ...letter('7'), headers: { ce_id: 'x@1' }, value: { deep: [1] } };
    answer('GET /services/matchmaker/ops/dead-letters/7', one);
    const shown = await run('bus', 'dead-letters', 'show', 'matchmaker', '7');
    expect(shown).toMatch(/^errorCode +unknown_event/m);
    expect(shown).toMatch(/^skipReason +-/m);
    expect(shown).toContain('\nError: one\nat two\n');
    expect(shown).toContain('"ce_id": "x@1"');
    expect(shown).toContain('"deep": [\n');
    expect(JSON.parse(await run('--json', 'bus', 'dead-letters', 'show', 'matchmaker', '7'))).toEqual(one);
  });

  it('asks for a replay and a skip of that service, key and letter, and no other', async () => {
    answer('POST /services/billing/ops/dead-letters/replay', { accepted: true });
    answer('POST /services/billing/ops/dead-letters/9/skip', { accepted: true });
    expect(await run('bus', 'dead-letters', 'replay', 'billing', 'a.topic', 'a key')).toBe(
      'asked for: billing takes a key of a.topic up again\n',
    );
    expect(await run('bus', 'dead-letters', 'skip', 'billing', '9', '--reason', 'nobody needs it')).toBe(
      'asked for: billing skips 9\n',
    );
    expect(asked.map(({ method, url, body }) => [method, url, body])).toEqual([
      ['POST', '/services/billing/ops/dead-letters/replay', { topic: 'a.topic', key: 'a key' }],
      ['POST', '/services/billing/ops/dead-letters/9/skip', { reason: 'nobody needs it' }],
    ]);
    expect(JSON.parse(await run('--json', 'bus', 'dead-letters', 'replay', 'billing', 't', 'k'))).toEqual({
      ...{ service: 'billing', topic: 't', key: 'k', accepted: true },
    });
    expect(
      JSON.parse(await run('--json', 'bus', 'dead-letters', 'skip', 'billing', '9', '--reason', 'r')),
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
    await expect(run('bus', 'dead-letters', command, ...args)).rejects.toMatchObject({
      code: 'unknown_service',
    });
    expect(asked).toEqual([]);
  });
});

describe('bus lag', () => {
  it('counts topics, partitions and events of every service', async () => {
    const partition = (topic: string, n: number, lag: number) => ({
      ...{ topic, partition: n, committed: 1, end: 1 + lag, lag },
    });
    for (const [n, service] of SERVICES.entries()) {
      answer(`GET /services/${service}/ops/bus`, {
        partitions: [partition('t', 0, 3), partition('t', 1, 0), partition('u', 0, 4)],
        lag: n,
      });
    }
    const shown = lines(await run('bus', 'lag'));
    expect(shown[0]).toMatch(/^service +topics +partitions +behind$/);
    expect(shown.slice(1).map((line) => line.split(/ +/))).toEqual(
      SERVICES.map((name, n) => [name, '2', '3', String(n)]),
    );
    const { services } = JSON.parse(await run('--json', 'bus', 'lag')) as {
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
      answer(`GET /services/${service}/ops/read-models`, { items });
    }
    const shown = lines(await run('read-models', 'ls'));
    expect(shown).toHaveLength(11);
    expect(shown[0]).toMatch(/^service +model +tables +state +last rebuilt +failure$/);
    expect(shown[1]).toMatch(/^registry +chain +a, b +idle +2026-01-02T03:04:05 +-$/);
    expect(shown[10]).toMatch(
      /^chain-indexer +x +a, b +interrupted: 7 events, 100000 or more left +- +no_luck$/,
    );
    asked = [];
    const { items } = JSON.parse(await run('--json', 'read-models', 'ls', '--service', 'billing')) as {
      items: { service: string }[];
    };
    expect(asked.map(({ url }) => url)).toEqual(['/services/billing/ops/read-models']);
    expect(items).toMatchObject([
      { service: 'billing', name: 'chain' },
      { service: 'billing', name: 'x' },
    ]);
  });

  it('rebuild begins one, shows its progress, and waits for its end', async () => {
    const progress = { events: 5, left: 6, startedAt: '2026-01-01T00:00:00.000Z' };
    const running = { ...ended('before', 1), state: 'rebuilding', progress };
    answer(AT, ended('before', 1), ended('before', 1), running, running, ended('after', 42));
    answer(BEGIN, { accepted: true });
    expect(lines(await run('read-models', 'rebuild', 'billing', 'chain'))).toEqual([
      'rebuilding: 5 events, 6 left',
      'chain of billing was made anew from 42 events',
    ]);
    expect(asked.map(({ method }) => method)).toEqual(['GET', 'POST', 'GET', 'GET', 'GET', 'GET']);
  });

  it('rebuild can be left alone', async () => {
    answer(AT, model());
    answer(BEGIN, { accepted: true });
    expect(JSON.parse(await run('--json', 'read-models', 'rebuild', 'billing', 'chain', '--detach'))).toEqual(
      {
        ...{ service: 'billing', name: 'chain', accepted: true },
      },
    );
    expect(asked).toHaveLength(2);
  });

  it('rebuild tells why it failed, or that it was interrupted', async () => {
    answer(BEGIN, { accepted: true });
    const failure = { code: 'journal_incomplete', detail: 'not everything is there' };
    answer(AT, model(), model({ failure }));
    await expect(run('read-models', 'rebuild', 'billing', 'chain')).rejects.toMatchObject({
      ...{ kind: 'conflict', code: 'journal_incomplete', message: 'not everything is there' },
    });
    const progress = { events: 5, left: 6, startedAt: '2026-01-01T00:00:00.000Z' };
    answer(AT, model(), model({ state: 'interrupted', progress }));
    await expect(run('read-models', 'rebuild', 'billing', 'chain')).rejects.toMatchObject({
      code: 'rebuild_interrupted',
    });
  });

  it('abort ends it', async () => {
    answer('POST /services/billing/ops/read-models/chain/abort', { accepted: true });
    expect(await run('read-models', 'abort', 'billing', 'chain')).toBe(
      'billing has no rebuild of chain any more\n',
    );
    expect(asked).toHaveLength(1);
  });
});
