import { hashApiKey, type RunningService, startService } from '@gridbourse/api';
import {
  chainProvider,
  computeMarket,
  deployContracts,
  type Deployment,
  leaseRefOf,
  providerRegistry,
  testUsdc,
} from '@gridbourse/chain';
import { type Anvil, type DevKey, devKey, startAnvil } from '@gridbourse/infra';
import { EmbeddedBus } from '@gridbourse/event-bus';
import {
  cloudEventTypeOf,
  type DomainEvent,
  type EventDefinition,
  type EventHeaders,
  publishedLanguage,
  topicOf,
} from '@gridbourse/events';
import { type Clock, type Id, idFromDigest, lockMicros } from '@gridbourse/kernel';
import { configureLogging, silentLogger } from '@gridbourse/observability';
import { eventually, type TestDatabase, testDatabase } from '@gridbourse/testing';
import { type JsonRpcProvider, MaxUint256, Wallet } from 'ethers';
import { createHash } from 'node:crypto';
import type pg from 'pg';
import { DataSource } from 'typeorm';
import { type BillingConfig, billingService } from '../src/index.ts';
import { MiniIndexer } from './mini-indexer.ts';

const OPERATORS = [devKey(1), devKey(2)];
const TENANT = devKey(10);
const PROVIDER = devKey(20);
/** 3.60 USDC an hour: 1,000 micros a second. */
export const RATE = 3_600_000n;

const GROUP = {
  name: 'web',
  regions: [],
  attributes: {},
  tierFloor: 7,
  interconnect: null,
  maxProviders: 1,
  services: [
    {
      name: 'web',
      image: 'nginx:1.27',
      imagePullPolicy: null,
      privateImage: false,
      command: [],
      args: [],
      envNames: [],
      ports: [],
      replicas: 1,
      resources: { cpuMillis: 100, memoryMiB: 128, gpu: null, volumes: [] },
      maxRateMicrosPerHour: RATE,
    },
  ],
};

const idOf = <K extends 'lease' | 'order' | 'account' | 'provider' | 'offer'>(kind: K, text: string): Id<K> =>
  idFromDigest(kind, createHash('sha256').update(`${kind}/${text}`).digest('hex'));

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a test reads what an outsider would see
export type Answer = any;
export type Heard = DomainEvent & Record<string, unknown>;

/** A clock that runs with the real one and can be put forward: the chain's own time is real. */
export class ShiftedClock implements Clock {
  shiftMs = 0;
  now(): number {
    return Date.now() + this.shiftMs;
  }
}

/**
 * Billing with a real database, a real bus and a real chain; the other services are played by the test. An indexer of a few
 * lines tells billing what the contract's logs say.
 */
export class World {
  readonly heard: Heard[] = [];
  private readonly places = new Set<string>();
  readonly clock = new ShiftedClock();
  readonly account = idOf('account', 'tenant');
  readonly wallet = TENANT.address;
  service!: RunningService;
  dataSource!: DataSource;
  private readonly sequences = new Map<string, number>();
  readonly indexer: MiniIndexer;

  private constructor(
    readonly anvil: Anvil,
    readonly provider: JsonRpcProvider,
    readonly deployment: Deployment,
    private readonly bus: EmbeddedBus,
    private readonly databases: readonly TestDatabase[],
    private readonly overrides: Partial<BillingConfig>,
  ) {
    this.indexer = new MiniIndexer(provider, deployment, (event, key) => this.publish(event, key));
  }

  static async create(overrides: Partial<BillingConfig> = {}): Promise<World> {
    configureLogging({ level: (process.env['TEST_LOG_LEVEL'] as 'info' | undefined) ?? 'silent' });
    const anvil = await startAnvil({ accounts: 30 });
    const deployment = await deployContracts({
      rpcUrl: anvil.rpcUrl,
      deployerKey: devKey(0).privateKey,
      roles: { operator: OPERATORS.map(({ address }) => address), pauser: [devKey(3).address] },
    });
    const provider = chainProvider(anvil.rpcUrl, deployment.chainId);
    const own = await testDatabase('billing_world');
    const busDatabase = await testDatabase('billing_bus');
    const bus = new EmbeddedBus({ databaseUrl: busDatabase.url, logger: silentLogger, pollMs: 50 });
    await bus.start();
    const world = new World(anvil, provider, deployment, bus, [own, busDatabase], overrides);
    const registry = providerRegistry(deployment.contracts.ProviderRegistry, world.signer(PROVIDER));
    await (await registry.register(PROVIDER.address, leaseRefOf('provider'))).wait();
    await bus.subscribe({
      group: 'test',
      topics: [
        'gridbourse.billing.escrow',
        'gridbourse.billing.settlement',
        'gridbourse.billing.reconciliation',
      ],
      handler: (delivery) => {
        const place = `${delivery.topic}/${delivery.key}/${delivery.sequence}`;
        if (world.places.has(place)) return Promise.resolve(); // a relay that crashed tells again
        world.places.add(place);
        const type = delivery.headers.ce_type.split('.')[2]!;
        world.heard.push(publishedLanguage.decode({ type, schemaVersion: 1, data: delivery.value }));
        return Promise.resolve();
      },
    });
    await world.start();
    return world;
  }

  /** Starts billing; after `stop` it goes on with what its database holds. */
  async start(): Promise<void> {
    await this.startService();
    this.indexer.start();
  }

  private async startService(): Promise<void> {
    const [own, busDatabase] = this.databases;
    this.service = await startService(
      billingService,
      {
        databaseUrl: own!.url,
        bus: { adapter: 'embedded', url: busDatabase!.url },
        jwksUrl: 'http://127.0.0.1:1/jwks.json',
        publicOrigin: 'http://127.0.0.1:1',
        logLevel: 'silent',
        rpcUrl: this.anvil.rpcUrl,
        publicRpcUrl: 'http://chain.example',
        deployment: this.deployment,
        operatorKeys: OPERATORS.map(({ privateKey }) => privateKey),
        settleEveryMs: 100,
        retryEveryMs: 50,
        zeroTimeEveryMs: 25,
        reconcileEveryMs: 86_400_000,
        breakGraceMs: 0,
        ...this.overrides,
      },
      { bus: this.bus, clock: this.clock },
    );
    this.dataSource = this.service.app.get(DataSource);
    surviveCuts(this.dataSource);
  }

  async stop(): Promise<void> {
    await this.indexer.stop();
    await this.service.close();
  }

  /** Billing ends and starts again; the chain is told of all the while. */
  async restart(): Promise<void> {
    await this.service.close();
    await this.startService();
  }

  get databaseName(): string {
    return new URL(this.databases[0]!.url).pathname.slice(1);
  }

  async close(): Promise<void> {
    await this.stop();
    await this.bus.close();
    this.provider.destroy();
    await this.anvil.stop();
    await Promise.all(this.databases.map((database) => database.drop()));
  }

  signer({ privateKey }: Pick<DevKey, 'privateKey'>): Wallet {
    return new Wallet(privateKey, this.provider);
  }

  market(key: Pick<DevKey, 'privateKey'> = TENANT) {
    return computeMarket(this.deployment.contracts.ComputeMarket, this.signer(key));
  }

  async openAccount(): Promise<void> {
    await this.publish(
      { type: 'AccountOpened', accountId: this.account, wallet: this.wallet, name: 'tenant', openedAtMs: 1 },
      this.account,
    );
  }

  /** A key of the tenant, known to billing once this resolves. */
  async issueKey(): Promise<string> {
    const key = `gbk_${'k'.repeat(43)}`;
    const keyId = idFromDigest('apiKey', createHash('sha256').update(key).digest('hex'));
    await this.publish(
      {
        type: 'ApiKeyIssued',
        accountId: this.account,
        apiKeyId: keyId,
        keyHash: hashApiKey(key),
        scopes: ['escrow:read'],
        expiresAtMs: null,
        issuedAtMs: 1,
      },
      this.account,
    );
    await this.until(async () => (await this.call('GET', '/v1/books', key)).status === 200 || null);
    return key;
  }

  async call(method: 'GET' | 'POST', url: string, key?: string): Promise<{ status: number; body: Answer }> {
    const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
    const response = await this.service.app.inject({ method, url, headers });
    return { status: response.statusCode, body: JSON.parse(response.body) };
  }

  async deposit(micros: bigint): Promise<void> {
    const usdc = testUsdc(this.deployment.contracts.TestUSDC, this.signer(TENANT));
    await (await usdc.mint(TENANT.address, micros)).wait();
    await (await usdc.approve(this.deployment.contracts.ComputeMarket, MaxUint256)).wait();
    await (await this.market().deposit(micros)).wait();
  }

  async consent(maxRate = 10n ** 12n, maxLocked = 10n ** 15n): Promise<void> {
    await (await this.market().setSpendingLimit(maxRate, maxLocked, 2 ** 40 - 1)).wait();
  }

  /** What the matchmaker says of a new lease. */
  async propose(name: string, durationSeconds = 3_600, rate = RATE): Promise<Id<'lease'>> {
    const leaseId = idOf('lease', name);
    const now = this.clock.now();
    await this.publish(
      {
        type: 'LeaseProposed',
        leaseId,
        orderId: idOf('order', name),
        accountId: this.account,
        tenantWallet: this.wallet,
        providerId: idOf('provider', 'one'),
        chainProviderId: 1,
        offerId: idOf('offer', 'one'),
        group: GROUP,
        part: null,
        gpu: null,
        run: 'service',
        secrets: null,
        placements: [],
        rateMicrosPerHour: rate,
        durationSeconds,
        lockMicros: lockMicros(rate, BigInt(durationSeconds)),
        listRateMicrosPerHour: 2n * rate,
        acceptByMs: now + 10_000,
        proposedAtMs: now,
      },
      leaseId,
    );
    return leaseId;
  }

  async accept(leaseId: Id<'lease'>): Promise<void> {
    const now = this.clock.now();
    await this.publish(
      { type: 'LeaseAccepted', leaseId, by: 'standing_policy', fundByMs: now + 60_000, atMs: now },
      leaseId,
    );
  }

  async lapse(leaseId: Id<'lease'>): Promise<void> {
    const atMs = this.clock.now();
    await this.publish(
      { type: 'LeaseLapsed', leaseId, reason: 'order_cancelled', detail: '', atMs },
      leaseId,
    );
  }

  async running(leaseId: Id<'lease'>, runningSinceMs = this.clock.now()): Promise<void> {
    const atMs = this.clock.now();
    await this.publish({ type: 'WorkloadRunning', leaseId, runningSinceMs, endpoints: [], atMs }, leaseId);
  }

  async usage(leaseId: Id<'lease'>, seconds: number, cumulativeSeconds: number): Promise<void> {
    const windowEndMs = this.clock.now();
    const windowStartMs = windowEndMs - seconds * 1_000;
    const usageId = `${leaseId}/${windowStartMs}/${cumulativeSeconds}`;
    await this.publish(
      { type: 'UsageRecorded', leaseId, usageId, windowStartMs, windowEndMs, seconds, cumulativeSeconds },
      leaseId,
    );
  }

  async closeMeter(leaseId: Id<'lease'>, totalSeconds: number): Promise<void> {
    await this.publish({ type: 'MeterClosed', leaseId, totalSeconds, atMs: this.clock.now() }, leaseId);
  }

  /** An opened lease: proposed, accepted, funded on chain and seen by billing. */
  async openLease(name: string, durationSeconds = 3_600): Promise<Id<'lease'>> {
    const leaseId = await this.propose(name, durationSeconds);
    await this.accept(leaseId);
    await this.until(async () => (await this.lease(leaseId))?.['opened_at_ms'] ?? null);
    return leaseId;
  }

  /** Puts the chain's clock forward, so that time has earned what a test settles. */
  async passOnChain(seconds: number): Promise<void> {
    await this.provider.send('evm_increaseTime', [seconds]);
    await this.provider.send('evm_mine', []);
  }

  async lease(leaseId: string): Promise<Record<string, unknown> | null> {
    const rows = await this.dataSource.query<Record<string, unknown>[]>(
      'SELECT * FROM leases WHERE lease_id = $1',
      [leaseId],
    );
    return rows[0] ?? null;
  }

  async books(): Promise<Record<string, bigint>> {
    const [row] = await this.dataSource.query<Record<string, string>[]>(
      `SELECT deposited_micros AS deposited, free_micros AS free, locked_micros AS locked, spent_micros AS spent,
              withdrawn_micros AS withdrawn FROM tenants WHERE wallet = $1`,
      [this.wallet],
    );
    return Object.fromEntries(Object.entries(row ?? {}).map(([name, micros]) => [name, BigInt(micros)]));
  }

  eventsOf(leaseId: string): string[] {
    return this.heard.filter((event) => event['leaseId'] === leaseId).map((event) => event.type);
  }

  async event(type: string, leaseId?: string): Promise<Heard> {
    return this.until(
      () =>
        this.heard.find(
          (event) => event.type === type && (leaseId === undefined || event['leaseId'] === leaseId),
        ) ?? null,
    );
  }

  until<T>(check: () => T | Promise<T>): Promise<NonNullable<T>> {
    return eventually(check, { deadlineMs: 40_000, everyMs: 15 }) as Promise<NonNullable<T>>;
  }

  /** Every event of the published language reaches billing as the outbox of its service would send it. */
  async publish(event: Heard, key: string): Promise<void> {
    const definition = publishedLanguage.definition(event.type);
    const topic = topicOf(definition);
    const line = `${topic}/${key}`;
    const sequence = (this.sequences.get(line) ?? 0) + 1;
    this.sequences.set(line, sequence);
    const { data } = publishedLanguage.encode(event);
    await this.bus.publish([{ topic, key, headers: headersOf(definition, key, sequence), value: data }]);
  }
}

/**
 * Between the moment a connection is made and the moment TypeORM listens to it, an error on it is nobody's, and ends the
 * process. Tests that cut connections hit that moment sooner or later.
 */
const surviveCuts = (dataSource: DataSource): void => {
  const { master } = dataSource.driver as unknown as { master: pg.Pool };
  master.on('connect', (client) => client.on('error', () => undefined));
};

const headersOf = (definition: EventDefinition, key: string, sequence: number): EventHeaders => ({
  ce_specversion: '1.0',
  ce_id: `${topicOf(definition)}/${key}@${sequence}`,
  ce_type: cloudEventTypeOf(definition),
  ce_source: `/gridbourse/${definition.context}`,
  ce_time: new Date(0).toISOString(),
  ce_subject: key,
  ce_dataschema: '/gridbourse/schemas/test.json',
  sequence: String(sequence),
});
