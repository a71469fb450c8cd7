import { ReadModelOperations, type RunningService, startService } from '@gridbourse/api';
import { EmbeddedBus } from '@gridbourse/event-bus';
import { cloudEventTypeOf, publishedLanguage, topicOf, type DomainEvent } from '@gridbourse/events';
import { ManualClock, seededRandom } from '@gridbourse/kernel';
import { MemoryKeyValue } from '@gridbourse/key-value';
import { configureLogging, silentLogger } from '@gridbourse/observability';
import { generateSealingKey, type SealingKey } from '@gridbourse/sealing';
import { freePort, testDatabase } from '@gridbourse/testing';
import { type HDNodeWallet, Wallet } from 'ethers';
import { SiweMessage } from 'siwe';
import { DataSource } from 'typeorm';
import { SilenceWatch } from '../src/features/agents/silence-watch.ts';
import { registryService } from '../src/index.ts';

export const CHAIN_ID = 31_337;
export const START = Date.UTC(2026, 0, 1);

configureLogging({ level: 'silent' });

export type Answer<T = Record<string, unknown>> = { status: number; body: T; headers: Headers };
export type SignedIn = {
  token: string;
  accountId: string;
  wallet: HDNodeWallet | Wallet;
  refreshToken: string;
};

/** The whole service on a real Postgres and the embedded bus, over HTTP and gRPC. Made up: the clock and the chain. */
export class RegistryUnderTest {
  readonly clock = new ManualClock(START);
  /** Every event it published, in order. */
  readonly published: DomainEvent[] = [];
  /** What Redis would be: it outlives a restart, and all instances share it. */
  readonly keyValue = new MemoryKeyValue({ clock: this.clock });
  private chainSequence = 0;
  private providers = 0;
  private chain: Promise<void> = Promise.resolve();

  private constructor(
    readonly origin: string,
    readonly grpcTarget: string,
    readonly sealingKey: SealingKey,
    private readonly bus: EmbeddedBus,
    private readonly database: { url: string; drop(): Promise<void> },
    private readonly input: Record<string, unknown>,
  ) {}

  private service: RunningService | undefined;

  static async start(config: Record<string, unknown> = {}): Promise<RegistryUnderTest> {
    const database = await testDatabase('registry');
    const [httpPort, grpcPort] = [await freePort(), await freePort()];
    const origin = `http://127.0.0.1:${httpPort}`;
    const sealingKey = await generateSealingKey();
    const bus = new EmbeddedBus({ databaseUrl: database.url, logger: silentLogger });
    await bus.start();
    const input = {
      databaseUrl: database.url,
      bus: { adapter: 'embedded', url: database.url },
      httpPort,
      grpcPort,
      jwksUrl: `${origin}/.well-known/jwks.json`,
      publicOrigin: origin,
      chainId: CHAIN_ID,
      orchestratorSealingPublicKey: { keyId: sealingKey.keyId, publicKey: sealingKey.publicKey },
      minStakeMicros: '1000000',
      watchEveryMs: 10,
      rollupEveryMs: 20,
      ...config,
    };
    const registry = new RegistryUnderTest(origin, `127.0.0.1:${grpcPort}`, sealingKey, bus, database, input);
    await bus.subscribe({
      group: 'test',
      topics: ['gridbourse.registry.account', 'gridbourse.registry.provider'],
      handler: (delivery) => {
        const type = /\.([A-Za-z]+)\.v\d+$/.exec(delivery.headers.ce_type)![1]!;
        const { version } = publishedLanguage.definition(type);
        registry.published.push(
          publishedLanguage.decode({ type, schemaVersion: version, data: delivery.value }),
        );
        return Promise.resolve();
      },
    });
    await registry.startService();
    return registry;
  }

  async startService(): Promise<void> {
    this.service = await this.startInstance(this.input);
  }

  /** A second instance of the same registry, on ports of its own. */
  async startAnother(): Promise<{ origin: string; close(): Promise<void> }> {
    const httpPort = await freePort();
    const service = await this.startInstance({ ...this.input, httpPort, grpcPort: await freePort() });
    return { origin: `http://127.0.0.1:${httpPort}`, close: () => service.close() };
  }

  private startInstance(input: Record<string, unknown>): Promise<RunningService> {
    return startService(registryService, input, {
      bus: this.bus,
      clock: this.clock,
      random: seededRandom(7),
      keyValue: this.keyValue,
    });
  }

  async stopService(): Promise<void> {
    await this.service?.close();
    this.service = undefined;
  }

  async close(): Promise<void> {
    await this.stopService();
    await this.bus.close();
    await this.database.drop();
  }

  get dataSource(): DataSource {
    return this.service!.app.get(DataSource);
  }

  get readModels(): ReadModelOperations {
    return this.service!.app.get(ReadModelOperations);
  }

  /** When the service last judged the silence of providers. */
  get watchedAtMs(): number {
    return this.service!.app.get(SilenceWatch, { strict: false }).lastLookAtMs;
  }

  openApi(): ReturnType<RunningService['openApi']> {
    return this.service!.openApi();
  }

  /** Types of the published events about one thing. */
  typesOf(id: string): string[] {
    return this.eventsOf(id).map((event) => event.type);
  }

  eventsOf(id: string): (DomainEvent & Record<string, unknown>)[] {
    const about = (event: DomainEvent): boolean =>
      Object.values(event as object).some((value: unknown) => value === id);
    return this.published.filter(about);
  }

  async call<T = Record<string, unknown>>(
    method: string,
    path: string,
    options: { token?: string; body?: unknown; headers?: Record<string, string> } = {},
  ): Promise<Answer<T>> {
    const response = await fetch(`${this.origin}${path}`, {
      method,
      headers: {
        ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
        ...options.headers,
      },
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      body: (text === '' ? {} : JSON.parse(text)) as T,
      headers: response.headers,
    };
  }

  /** A sign-in message as a wallet would show it, with what the test wants to be wrong in it. */
  async message(wallet: { address: string }, changes: Partial<SiweMessage> = {}): Promise<string> {
    const { body } = await this.call<{ nonce: string; domain: string; uri: string; chainId: number }>(
      'POST',
      '/v1/auth/nonce',
    );
    return new SiweMessage({
      domain: body.domain,
      address: wallet.address,
      uri: body.uri,
      version: '1',
      chainId: body.chainId,
      nonce: body.nonce,
      issuedAt: new Date(this.clock.now()).toISOString(),
      ...changes,
    }).prepareMessage();
  }

  async login(message: string, signature: string): Promise<Answer> {
    return this.call('POST', '/v1/auth/login', { body: { message, signature } });
  }

  async signIn(wallet: HDNodeWallet | Wallet = Wallet.createRandom()): Promise<SignedIn> {
    const message = await this.message(wallet);
    const { status, body } = await this.login(message, await wallet.signMessage(message));
    if (status !== 200) throw new Error(`login: ${status} ${JSON.stringify(body)}`);
    return {
      token: body['accessToken'] as string,
      accountId: body['accountId'] as string,
      refreshToken: body['refreshToken'] as string,
      wallet,
    };
  }

  /** Somebody new who has signed in, with a provider. */
  async onboard(wallet?: HDNodeWallet | Wallet): Promise<SignedIn & { providerId: string }> {
    const signedIn = await this.signIn(wallet);
    this.providers += 1;
    const { body } = await this.call<{ providerId: string }>('POST', '/v1/providers', {
      token: signedIn.token,
      body: providerBody(`Provider ${this.providers}`),
    });
    return { ...signedIn, providerId: body.providerId };
  }

  /** Publishes a log of the ProviderRegistry contract as the indexer would. */
  chainEvent(
    type: 'ChainEventObserved' | 'ChainEventRetracted' | 'ChainEventFinalized',
    log: Record<string, unknown>,
    blockNumber: number,
  ): Promise<void> {
    // One after the other: they all have one key, and its sequence has no gaps.
    this.chain = this.chain.then(() => this.publishChainEvent(type, log, blockNumber));
    return this.chain;
  }

  private async publishChainEvent(
    type: string,
    log: Record<string, unknown>,
    blockNumber: number,
  ): Promise<void> {
    const definition = publishedLanguage.definition(type);
    this.chainSequence += 1;
    const hash = `0x${blockNumber.toString(16).padStart(64, '0')}`;
    await this.bus.publish([
      {
        topic: topicOf(definition),
        key: 'ProviderRegistry',
        headers: {
          ce_specversion: '1.0',
          ce_id: `chain-${this.chainSequence}`,
          ce_type: cloudEventTypeOf(definition),
          ce_source: '/gridbourse/chain-indexer',
          ce_time: new Date(START).toISOString(),
          ce_subject: 'ProviderRegistry',
          ce_dataschema: '',
          sequence: String(this.chainSequence),
        },
        value: {
          contract: 'ProviderRegistry',
          chainId: CHAIN_ID,
          blockNumber,
          blockHash: hash,
          logIndex: 0,
          txHash: hash,
          blockTimeMs: START,
          seenAtMs: START,
          log,
        },
      },
    ]);
  }
}

/** Of a cluster that is reached with a token. */
export const kubeconfig = (token: string): string => `
apiVersion: v1
kind: Config
current-context: main
contexts: [{ name: main, context: { cluster: here, user: me } }]
clusters: [{ name: here, cluster: { server: "https://10.1.2.3:6443" } }]
users: [{ name: me, user: { token: ${token} } }]
`;

export const providerBody = (name: string) => ({
  name,
  place: { country: 'FI', city: 'Helsinki', location: { latitude: 60.17, longitude: 24.94 } },
  attributes: { 'network.uplink': '10g' },
});

/** Machines of eight GPUs each. */
export const machines = (...names: string[]) =>
  names.map((name) => ({ name, gpus: 8, cpuMillis: 64_000, memoryMiB: 524_288, storageMiB: 1_048_576 }));

export const offerBody = (changes: Record<string, unknown> = {}) => ({
  gpu: { model: 'NVIDIA-H100-80GB-HBM3', vramMiB: 81_920, interface: 'sxm' },
  nodes: machines('n1', 'n2'),
  price: {
    perGpuUsdcPerHour: '3',
    perCpuCoreUsdcPerHour: '0.01',
    perMemoryGiBUsdcPerHour: '0.001',
    perStorageGiBUsdcPerHour: '0.0001',
  },
  policy: { autoAccept: true, maxDurationSeconds: 86_400 },
  storageClasses: ['default'],
  ...changes,
});
