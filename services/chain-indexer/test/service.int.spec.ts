// Real: Postgres, anvil, the contracts, the bus, the whole service.
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { type RunningService, startService } from '@gridbourse/api';
import { type Anvil, startAnvil } from '@gridbourse/infra';
import { EmbeddedBus } from '@gridbourse/event-bus';
import { configureLogging, silentLogger } from '@gridbourse/observability';
import { eventually, testDatabase, type TestDatabase } from '@gridbourse/testing';
import { chainIndexerService } from '../src/index.ts';
import { Actor } from './chain.ts';

jest.setTimeout(60_000);

describe('the chain indexer as a service', () => {
  let anvil: Anvil;
  let actor: Actor;
  let databases: TestDatabase[];
  let bus: EmbeddedBus;
  let service: RunningService;
  const heard: { key: string; type: string; sequence: number }[] = [];

  const start = () =>
    startService(
      chainIndexerService,
      {
        databaseUrl: databases[0]!.url,
        bus: { adapter: 'embedded', url: databases[1]!.url },
        jwksUrl: 'http://127.0.0.1:1/jwks',
        publicOrigin: 'http://127.0.0.1:1',
        logLevel: 'silent',
        rpcUrl: anvil.rpcUrl,
        deployment: actor.deployment,
        pollMs: 20,
        minFinalityAgeMs: 0,
      },
      { bus },
    );
  const get = async (path: string): Promise<{ status: number; body: Record<string, never> }> => {
    const answer = await service.app.inject({ method: 'GET', url: path });
    return { status: answer.statusCode, body: answer.json() };
  };

  beforeAll(async () => {
    configureLogging({ level: 'silent' });
    anvil = await startAnvil({ slotsInAnEpoch: 2 });
    actor = await Actor.on(anvil.rpcUrl);
    databases = await Promise.all([testDatabase('chain_indexer_service'), testDatabase('chain_indexer_bus')]);
    bus = new EmbeddedBus({ databaseUrl: databases[1]!.url, logger: silentLogger });
    await bus.start();
    await bus.subscribe({
      group: 'test',
      topics: ['gridbourse.chain-indexer.contract'],
      handler: ({ key, headers, sequence }) => {
        heard.push({ key, type: headers.ce_type, sequence });
        return Promise.resolve();
      },
    });
    service = await start();
  }, 60_000);
  afterAll(async () => {
    await service.close();
    await bus.close();
    await Promise.all(databases.map((database) => database.drop()));
    actor.close();
    await anvil.stop();
  });

  it('publishes what the contracts log, and goes on after a restart', async () => {
    await actor.deposit(5n);
    await eventually(() => heard.length === 1);
    await service.close();
    await actor.deposit(6n);
    await actor.mine(10);
    service = await start();
    await eventually(() => heard.length === 4, { deadlineMs: 10_000 });
    expect(heard.map(({ key, type, sequence }) => `${key} ${type.split('.')[2]} ${sequence}`)).toEqual([
      'ComputeMarket ChainEventObserved 1',
      expect.stringMatching(/^ComputeMarket ChainEvent(Observed|Finalized) 2$/),
      expect.stringMatching(/^ComputeMarket ChainEvent(Observed|Finalized) 3$/),
      'ComputeMarket ChainEventFinalized 4',
    ]);
  }, 30_000);

  it('shows which chain it follows and how far, to anybody', async () => {
    const height = await actor.height();
    const { status, body } = await eventually(async () => {
      const answer = await get('/v1/chain');
      const { watermarks } = answer.body as unknown as { watermarks: { indexed: { number: number } | null } };
      return watermarks.indexed?.number === height && answer;
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      ...actor.deployment,
      halted: null,
      watermarks: {
        latest: { number: height },
        safe: { number: height - 2 },
        finalized: { number: height - 4 },
      },
    });
    expect((await service.ready()).checks).toMatchObject({ chain: 'ok' });
  });
});
