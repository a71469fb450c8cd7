import { ReadModelOperations, type RunningService, startService } from '@gridbourse/api';
import { EmbeddedBus } from '@gridbourse/event-bus';
import { EventStore } from '@gridbourse/event-store';
import {
  cloudEventTypeOf,
  type DomainEvent,
  EventCatalogue,
  publishedEvents,
  publishedLanguage,
  topicOf,
} from '@gridbourse/events';
import { type AccountId, type ManualClock } from '@gridbourse/kernel';
import { type Logger, silentLogger } from '@gridbourse/observability';
import { GRPC_LOADER, matchmakerV1, PROTO_ROOT } from '@gridbourse/proto';
import { generateSealingKey, type SealingKey } from '@gridbourse/sealing';
import { eventually, freePort, testDatabase, type TestDatabase } from '@gridbourse/testing';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { createHash } from 'node:crypto';
import { join } from 'node:path';

import { matchmakerService } from '../src/index.ts';
import { TimelineReader } from '../src/read-models/timeline-reader.ts';
import { Matchmaker } from '../src/writer/matchmaker.ts';
import { DataSource } from 'typeorm';
import { idOf } from './builders.ts';

const catalogue = new EventCatalogue<DomainEvent>(publishedEvents);
const ALL_SCOPES = ['orders:read', 'orders:write', 'leases:read', 'leases:write', 'providers:write'];

export type Person = { readonly accountId: AccountId; readonly wallet: string; readonly key: string };

export const person = (word: string): Person => {
  const digest = createHash('sha256').update(word);
  const hex = digest.digest('hex');
  return {
    accountId: idOf('account', word),
    wallet: `0x${hex.slice(0, 40)}`,
    key: `gbk_${createHash('sha256').update(`key of ${word}`).digest('base64url')}`,
  };
};

type Answer<T> = { readonly status: number; readonly body: T; readonly headers: Headers };

/**
 * The matchmaker as it runs, on a real Postgres and the embedded bus. Every other service is played by the test, which
 * publishes what they would say. The clock is moved by hand.
 */
export class RunningMatchmaker {
  private readonly sequences = new Map<string, number>();
  private service!: RunningService;
  private bus!: EmbeddedBus;
  private database!: TestDatabase;
  private busDatabase!: TestDatabase;
  private client: grpc.Client | null = null;
  sealingKey!: SealingKey;
  origin = '';
  grpcTarget = '';

  private constructor(
    readonly clock: ManualClock,
    private readonly logger: Logger,
  ) {}

  static async start(options: { clock: ManualClock; logger?: Logger }): Promise<RunningMatchmaker> {
    const running = new RunningMatchmaker(options.clock, options.logger ?? silentLogger);
    running.database = await testDatabase('matchmaker');
    running.busDatabase = await testDatabase('matchmaker_bus');
    running.sealingKey = await generateSealingKey();
    await running.boot();
    return running;
  }

  private async boot(): Promise<void> {
    this.bus = new EmbeddedBus({ databaseUrl: this.busDatabase.url, logger: this.logger });
    await this.bus.start();
    const [httpPort, grpcPort] = [await freePort(), await freePort()];
    this.origin = `http://127.0.0.1:${httpPort}`;
    this.grpcTarget = `127.0.0.1:${grpcPort}`;
    this.service = await startService(
      matchmakerService,
      {
        databaseUrl: this.database.url,
        bus: { adapter: 'embedded', url: this.busDatabase.url },
        httpPort,
        grpcPort,
        jwksUrl: `${this.origin}/.well-known/jwks.json`,
        publicOrigin: this.origin,
        orchestratorSealingPublicKey: { keyId: this.sealingKey.keyId, publicKey: this.sealingKey.publicKey },
        deadlineCheckMs: 20,
        maxOpenOrders: 20,
      },
      { bus: this.bus, clock: this.clock },
    );
  }

  get matchmaker(): Matchmaker {
    return this.service.app.get(Matchmaker);
  }

  openApi(): ReturnType<RunningService['openApi']> {
    return this.service.openApi();
  }

  get eventStore(): EventStore {
    return this.service.app.get(EventStore);
  }

  get dataSource(): DataSource {
    return this.service.app.get(DataSource);
  }

  get timelines(): TimelineReader {
    return this.service.app.get(TimelineReader);
  }

  get readModels(): ReadModelOperations {
    return this.service.app.get(ReadModelOperations);
  }

  /** Everything that was said has been taken. */
  async allHeard(): Promise<void> {
    const said = [...this.sequences].map(([name, sequence]) => `${name} ${sequence}`);
    await eventually(
      async () => {
        const rows = await this.dataSource.query<{ line: string }[]>(
          `SELECT topic || '/' || key || ' ' || sequence AS line FROM bus_inbox`,
        );
        const heard = new Set(rows.map(({ line }) => line));
        return said.every((line) => heard.has(line));
      },
      { deadlineMs: 60_000 },
    );
  }

  /** Stops the service in order and starts it anew on the same data. @param meanwhile what happens in between */
  async restart(meanwhile: () => unknown = () => undefined): Promise<void> {
    await this.halt();
    meanwhile();
    await this.boot();
  }

  private async halt(): Promise<void> {
    this.client?.close();
    this.client = null;
    await this.service.close();
    await this.bus.close();
  }

  async stop(): Promise<void> {
    await this.halt();
    await Promise.all([this.database.drop(), this.busDatabase.drop()]);
  }

  /** Publishes what another service says, each key in its order. */
  async say(key: string, ...events: DomainEvent[]): Promise<void> {
    await this.bus.publish(events.map((event) => this.record(key, event)));
  }

  /** Publishes the last record of a key once more, as a bus may. */
  async repeat(key: string, event: DomainEvent): Promise<void> {
    const topic = topicOf(publishedLanguage.definition(event.type));
    const sequence = this.sequences.get(`${topic}/${key}`)!;
    this.sequences.set(`${topic}/${key}`, sequence - 1);
    await this.say(key, event);
  }

  private record(key: string, event: DomainEvent) {
    const definition = publishedLanguage.definition(event.type);
    const topic = topicOf(definition);
    const sequence = (this.sequences.get(`${topic}/${key}`) ?? 0) + 1;
    this.sequences.set(`${topic}/${key}`, sequence);
    return {
      topic,
      key,
      headers: {
        ce_specversion: '1.0' as const,
        ce_id: `${key}@${sequence}`,
        ce_type: cloudEventTypeOf(definition),
        ce_source: `/gridbourse/${definition.context}`,
        ce_time: new Date(this.clock.now()).toISOString(),
        ce_subject: key,
        ce_dataschema: `https://gridbourse.dev/schemas/${event.type}.v1.json`,
        sequence: String(sequence),
      },
      value: catalogue.encode(event).data,
    };
  }

  /** Opens an account with an API key, and waits until it is let in. */
  async admit(...people: Person[]): Promise<void> {
    for (const { accountId, wallet, key } of people) {
      const keyHash = createHash('sha256').update(key).digest('hex');
      const issued = { accountId, apiKeyId: idOf('apiKey', key), keyHash, scopes: ALL_SCOPES };
      await this.say(
        accountId,
        { type: 'AccountOpened', accountId, wallet, name: 'someone', openedAtMs: 1 } as DomainEvent,
        { type: 'ApiKeyIssued', ...issued, expiresAtMs: null, issuedAtMs: 1 } as DomainEvent,
      );
    }
    for (const one of people) {
      await eventually(async () => expectStatus(await this.get(one, '/v1/orders'), 200));
    }
  }

  async get<T>(who: Person, path: string, headers: Record<string, string> = {}): Promise<Answer<T>> {
    return this.answer(
      await fetch(`${this.origin}${path}`, { headers: { authorization: `Bearer ${who.key}`, ...headers } }),
    );
  }

  async post<T>(
    who: Person,
    path: string,
    body: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer<T>> {
    return this.answer(
      await fetch(`${this.origin}${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${who.key}`, 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    );
  }

  private async answer<T>(response: Response): Promise<Answer<T>> {
    return { status: response.status, body: (await response.json()) as T, headers: response.headers };
  }

  /** The raw stream of server-sent events. */
  stream(
    who: Person,
    path: string,
    headers: Record<string, string> = {},
    signal?: AbortSignal,
  ): Promise<Response> {
    return fetch(`${this.origin}${path}`, {
      headers: { authorization: `Bearer ${who.key}`, accept: 'text/event-stream', ...headers },
      ...(signal ? { signal } : {}),
    });
  }

  /** A gRPC call, unary. */
  call<T>(who: Person, method: string, request: unknown, service = 'OrderService'): Promise<T> {
    return new Promise((resolve, reject) => {
      this.grpc().makeUnaryRequest(
        ...this.wire(method, service),
        request,
        this.credentials(who),
        { deadline: Date.now() + 10_000 },
        (error, value) => (error ? reject(error) : resolve(value as T)),
      );
    });
  }

  auctionCall<T>(who: Person, method: string, request: unknown): Promise<T> {
    return this.call(who, method, request, 'AuctionService');
  }

  /** A gRPC server stream. */
  watch(who: Person, method: string, request: unknown): grpc.ClientReadableStream<unknown> {
    return this.grpc().makeServerStreamRequest(...this.wire(method), request, this.credentials(who), {});
  }

  private credentials(who: Person): grpc.Metadata {
    const metadata = new grpc.Metadata();
    metadata.set('authorization', `Bearer ${who.key}`);
    return metadata;
  }

  private wire(
    method: string,
    service = 'OrderService',
  ): [string, (value: unknown) => Buffer, (bytes: Buffer) => unknown] {
    const definition = loadSync(join(PROTO_ROOT, 'gridbourse/matchmaker/v1/orders.proto'), {
      ...GRPC_LOADER,
      includeDirs: [PROTO_ROOT],
    })[`${matchmakerV1.GRIDBOURSE_MATCHMAKER_V1_PACKAGE_NAME}.${service}`] as Record<
      string,
      { path: string; requestSerialize: (v: object) => Buffer; responseDeserialize: (b: Buffer) => object }
    >;
    const { path, requestSerialize, responseDeserialize } = definition[method]!;
    return [path, (value) => requestSerialize(value as object), responseDeserialize];
  }

  private grpc(): grpc.Client {
    this.client ??= new grpc.Client(this.grpcTarget, grpc.credentials.createInsecure());
    return this.client;
  }
}

export const expectStatus = (answer: { status: number; body: unknown }, status: number): true => {
  if (answer.status !== status)
    throw new Error(`status ${answer.status}: ${JSON.stringify(answer.body).slice(0, 2_000)}`);
  return true;
};
