import { EmbeddedBus } from '@gridbourse/event-bus';
import { newId, systemClock, systemRandom } from '@gridbourse/kernel';
import { silentLogger } from '@gridbourse/observability';
import { eventually } from '@gridbourse/testing';
import { type Finished, PlatformProcess, STARTING_TEST_MS } from '@gridbourse/testing/platform';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

// Real here: everything. Each command is a process of its own, as an operator types it. The dead letters come of events
// that the registry of a later release would publish.

const TOPIC = 'gridbourse.registry.account';
const SERVICES = ['registry', 'matchmaker', 'orchestrator', 'billing', 'chain-indexer'];
const PATIENT = { deadlineMs: 30_000 };

type Letter = {
  service: string;
  id: string;
  key: string;
  state: string;
  errorCode: string | null;
  attempts: number;
  skipReason: string | null;
};
type Model = {
  service: string;
  name: string;
  tables: string[];
  state: string;
  lastRebuild: { events: number } | null;
};

describe('those who run the platform', () => {
  let platform: PlatformProcess;
  const run = (...args: string[]): Promise<Finished> => platform.cli(args, { NO_COLOR: '1' });
  const json = async <T = Record<string, unknown>>(...args: string[]): Promise<T> => {
    const { code, stdout, stderr } = await run('--json', ...args);
    expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: '' });
    return JSON.parse(stdout) as T;
  };
  const letters = async (...args: string[]): Promise<Letter[]> =>
    (await json<{ items: Letter[] }>('bus', 'dead-letters', 'ls', ...args)).items;

  /** Of a type that nobody knows yet, and one behind it that everybody knows. @returns the key */
  const poison = async (): Promise<string> => {
    const { port, password } = platform.read<{ port: number; password: string }>('postgres.json');
    const databaseUrl = `postgres://gridbourse:${password}@127.0.0.1:${port}/gridbourse_bus`;
    const bus = new EmbeddedBus({ databaseUrl, logger: silentLogger });
    const key = newId('account', systemClock.now(), systemRandom);
    const record = (sequence: number, type: string, value: unknown) => ({
      topic: TOPIC,
      key,
      value,
      headers: {
        ...{ ce_specversion: '1.0' as const, ce_id: `${key}@${sequence}`, ce_source: '/gridbourse/registry' },
        ...{ ce_type: `gridbourse.registry.${type}.v1`, ce_time: new Date().toISOString(), ce_subject: key },
        ...{ ce_dataschema: '', sequence: String(sequence) },
      },
    });
    await bus.start();
    await bus.publish([
      record(1, 'AccountMerged', { accountId: key }),
      record(2, 'AccountOpened', {
        ...{
          accountId: key,
          wallet: `0x${key
            .slice(4)
            .padEnd(40, '0')
            .replace(/[^0-9a-f]/g, 'a')}`,
        },
        ...{ name: 'B', openedAtMs: 1 },
      }),
    ]);
    await bus.close();
    return key;
  };

  beforeAll(async () => {
    platform = await PlatformProcess.prepare('standalone', { GRIDBOURSE_MARKET: 'off' });
    await platform.start();
  }, STARTING_TEST_MS);
  afterAll(() => platform.discard(), 60_000);

  it('see how far the services are behind', async () => {
    await eventually(async () => {
      const { services } = await json<{ services: Record<string, { lag: number; partitions: object[] }> }>(
        'bus',
        'lag',
      );
      expect(Object.keys(services)).toEqual(SERVICES);
      for (const { lag, partitions } of Object.values(services)) {
        expect(lag).toBe(0);
        expect(partitions.length).toBeGreaterThan(0);
      }
    }, PATIENT);
    const { code, stdout } = await run('bus', 'lag');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^service +topics +partitions +behind/);
    // Eight partitions a topic.
    expect(stdout).toMatch(/^chain-indexer +1 +8 +0/m);
    expect(stdout).toMatch(/^registry +2 +16 +0/m);
  }, 60_000);

  it('find what could not be handled, look at it, take it up again, and give it up with a reason', async () => {
    expect(await letters()).toEqual([]);
    expect((await run('bus', 'dead-letters', 'ls')).stdout).toBe('There are none.\n');
    const key = await poison();
    const other = await poison();
    await eventually(async () => expect(await letters()).toHaveLength(4 * SERVICES.length), PATIENT);

    // Every service, and each filter.
    expect(new Set((await letters()).map(({ service }) => service))).toEqual(new Set(SERVICES));
    const mine = await letters('--service', 'billing', '--key', key);
    expect(mine.map(({ service, key: of, state, errorCode }) => [service, of, state, errorCode])).toEqual([
      ['billing', key, 'failed', 'unknown_event'],
      ['billing', key, 'waiting', null],
    ]);
    expect(await letters('--service', 'billing', '--topic', TOPIC)).toHaveLength(4);
    expect(await letters('--service', 'billing', '--topic', 'gridbourse.registry.provider')).toEqual([]);
    expect(await letters('--service', 'billing', '--limit', '1')).toHaveLength(1);
    expect(await letters('--service', 'billing', '--settled')).toEqual([]);
    const { stdout } = await run('bus', 'dead-letters', 'ls', '--service', 'billing', '--key', key);
    expect(stdout).toMatch(
      new RegExp(`^billing +${mine[0]!.id} +${TOPIC} +${key} +failed +1 .* unknown_event `, 'm'),
    );
    expect(stdout).toMatch(new RegExp(`^billing +${mine[1]!.id} +${TOPIC} +${key} +waiting +0 `, 'm'));

    const shown = await json<{ value: object; headers: object }>(
      'bus',
      'dead-letters',
      'show',
      'billing',
      mine[0]!.id,
    );
    expect(shown).toMatchObject({
      ...{ key, errorCode: 'unknown_event', deadLetterTopic: `${TOPIC}.dlq`, value: { accountId: key } },
      headers: { sequence: '1', ce_type: 'gridbourse.registry.AccountMerged.v1' },
    });
    const text = (await run('bus', 'dead-letters', 'show', 'billing', mine[0]!.id)).stdout;
    for (const part of [
      'AccountMerged.v1 in gridbourse.registry.account is not known here',
      'unknown_event',
      key,
    ])
      expect(text).toContain(part);

    // Taken up again it fails again: its key stays as it was.
    expect(await json('bus', 'dead-letters', 'replay', 'billing', TOPIC, key)).toMatchObject({
      accepted: true,
    });
    await eventually(async () => {
      const [failed] = await letters('--service', 'billing', '--key', key);
      expect(failed).toMatchObject({ state: 'failed', attempts: 2 });
    }, PATIENT);

    expect(
      await json('bus', 'dead-letters', 'skip', 'billing', mine[0]!.id, '--reason', 'nobody needs it'),
    ).toMatchObject({ accepted: true });
    await eventually(
      async () => expect(await letters('--service', 'billing', '--key', key)).toEqual([]),
      PATIENT,
    );
    const settled = await letters('--service', 'billing', '--settled');
    expect(settled.map(({ id, state, skipReason }) => [id, state, skipReason])).toEqual([
      [mine[0]!.id, 'skipped', 'nobody needs it'],
      [mine[1]!.id, 'replayed', null],
    ]);
    // Another key, and another service, have nothing to do with it.
    expect(await letters('--service', 'billing', '--key', other)).toHaveLength(2);
    expect(await letters('--service', 'matchmaker', '--key', key)).toHaveLength(2);
  }, 120_000);

  it.each([
    [
      'a service that is none',
      ['bus', 'dead-letters', 'ls', '--service', 'nope'],
      2,
      'expected one of registry',
    ],
    ['a service that is none', ['bus', 'dead-letters', 'show', 'nope', '1'], 2, 'expected one of registry'],
    ['a service that is none', ['bus', 'dead-letters', 'replay', 'nope', TOPIC, 'k'], 2, 'expected one of'],
    [
      'a service that is none',
      ['bus', 'dead-letters', 'skip', 'nope', '1', '--reason', 'r'],
      2,
      'expected one of',
    ],
    ['a letter that is none', ['bus', 'dead-letters', 'show', 'billing', '999999'], 4, 'no dead letter'],
    ['a skip without a reason', ['bus', 'dead-letters', 'skip', 'billing', '1'], 2, '--reason'],
    ['a limit that is none', ['bus', 'dead-letters', 'ls', '--limit', '0'], 2, 'a whole number'],
    ['a limit beyond all', ['bus', 'dead-letters', 'ls', '--limit', '201'], 2, 'a whole number'],
    [
      'a key that is not parked',
      ['bus', 'dead-letters', 'replay', 'billing', TOPIC, 'none'],
      4,
      'no parked key',
    ],
    ['a read model that is none', ['read-models', 'rebuild', 'billing', 'nope'], 4, 'no read_model'],
    ['a service that is none', ['read-models', 'rebuild', 'nope', 'chain'], 2, 'expected one of registry'],
    ['a service that is none', ['read-models', 'ls', '--service', 'nope'], 2, 'expected one of registry'],
    ['a service that is none', ['read-models', 'abort', 'nope', 'chain'], 2, 'expected one of registry'],
  ])('are told of %s by exit code and a sentence: %j', async (_, args, code, words) => {
    const found = await run(...args);
    expect({ code: found.code, stderr: found.stderr }).toEqual({
      code,
      stderr: expect.stringContaining(words),
    });
  });

  it('are the only ones who may', async () => {
    const { apiKey } = platform.tenant;
    for (const args of [
      ['bus', 'lag'],
      ['bus', 'dead-letters', 'ls'],
      ['bus', 'dead-letters', 'replay', 'billing', TOPIC, 'k'],
      ['read-models', 'ls'],
      ['read-models', 'rebuild', 'billing', 'chain'],
    ])
      expect({ args, ...(await run('--api-key', apiKey, ...args)) }).toMatchObject({ args, code: 3 });
  }, 60_000);

  it('make every read model anew while it is served', async () => {
    const models = (await json<{ items: Model[] }>('read-models', 'ls')).items;
    expect(models.map(({ service, name }) => `${service} ${name}`)).toEqual([
      ...['registry accounts', 'registry providers', 'registry stakes'],
      ...[
        'matchmaker accounts',
        'matchmaker orders',
        'matchmaker market',
        'matchmaker escrow',
        'matchmaker timeline',
      ],
      ...['orchestrator accounts', 'orchestrator leases', 'orchestrator clusters'],
      ...[
        'billing accounts',
        'billing chain',
        'billing usage',
        'chain-indexer accounts',
        'chain-indexer logs',
      ],
    ]);
    for (const { service, name } of models) {
      const rebuilt = await json<Model>('read-models', 'rebuild', service, name);
      expect(rebuilt).toMatchObject({
        service,
        name,
        state: 'idle',
        lastRebuild: { events: expect.any(Number) },
      });
    }
    const { code, stdout } = await run('read-models', 'rebuild', 'registry', 'accounts');
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringMatching(/accounts of registry was made anew from [1-9]\d* events\n$/),
    });
    expect(await json('read-models', 'rebuild', 'registry', 'accounts', '--detach')).toMatchObject({
      accepted: true,
    });
    expect(await json('read-models', 'abort', 'billing', 'chain')).toMatchObject({ accepted: true });
    const listed = await run('read-models', 'ls', '--service', 'billing');
    expect(listed.stdout).toMatch(/^billing +chain +chain_logs, chain_lease_rows +idle +\d{4}-\d\d-\d\dT/m);
    expect(listed.stdout).not.toContain('matchmaker');
    // The tenant's key is still one.
    expect((await platform.cli(['escrow', 'show'])).code).toBe(0);
  }, 180_000);

  it('and from the outside, with the program of a service', async () => {
    const { port, password } = platform.read<{ port: number; password: string }>('postgres.json');
    const env = {
      GRIDBOURSE_REGISTRY_DATABASE_URL: `postgres://gridbourse:${password}@127.0.0.1:${port}/gridbourse_registry`,
    };
    const { code, stdout, stderr } = await platform.serviceProgram(
      'registry',
      ['rebuild', 'stakes', 'accounts'],
      env,
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout.trim().split('\n').at(-1)!)).toEqual({
      accounts: expect.any(Number),
      stakes: expect.any(Number),
    });
    const none = await platform.serviceProgram('registry', ['rebuild', 'nope'], env);
    expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining('there is no read_model nope') });
  }, 60_000);
});
