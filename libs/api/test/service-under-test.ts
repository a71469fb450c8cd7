import { type BusRecord, EmbeddedBus } from '@gridbourse/event-bus';
import { type DomainEvent, publishedLanguage, topicOf } from '@gridbourse/events';
import { type Clock, newId, systemClock, systemRandom } from '@gridbourse/kernel';
import { silentLogger } from '@gridbourse/observability';
import { eventually, freePort, testDatabase, type TestDatabase } from '@gridbourse/testing';
import { createHash } from 'node:crypto';
import { DataSource } from 'typeorm';
import type { Scope } from '../src/auth/scopes.ts';
import type { BaseConfig } from '../src/service/base-config.ts';
import type { ServiceDefinition } from '../src/service/definition.ts';
import { type RunningService, startService } from '../src/service/start.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

export const newAccountId = () => newId('account', systemClock.now(), systemRandom);

export const openedAccount = (accountId: string, name = 'A'): DomainEvent => ({
  type: 'AccountOpened',
  ...{ accountId, wallet: `0x${sha256(accountId).slice(0, 40)}`, name, openedAtMs: 1 },
});

/** A service on the chassis, with a database of its own and an embedded bus in another, over HTTP. */
export class ServiceUnderTest {
  private readonly sequences = new Map<string, number>();

  private constructor(
    readonly origin: string,
    readonly running: RunningService,
    readonly bus: EmbeddedBus,
    private readonly databases: readonly TestDatabase[],
  ) {}

  /** @param options `config`: beside databases, bus and ports */
  static async start<C extends BaseConfig>(
    definition: ServiceDefinition<C>,
    { config = {}, clock }: { config?: Record<string, unknown>; clock?: Clock } = {},
  ): Promise<ServiceUnderTest> {
    const databases = await Promise.all([testDatabase('chassis'), testDatabase('chassis_bus')]);
    const [own, shared] = databases;
    const bus = new EmbeddedBus({ databaseUrl: shared.url, logger: silentLogger });
    await bus.start();
    const httpPort = await freePort();
    const origin = `http://127.0.0.1:${httpPort}`;
    const running = await startService(
      definition,
      {
        databaseUrl: own.url,
        bus: { adapter: 'embedded', url: shared.url },
        httpPort,
        jwksUrl: `${origin}/.well-known/jwks.json`,
        publicOrigin: origin,
        ...config,
      },
      { bus, ...(clock && { clock }) },
    );
    return new ServiceUnderTest(origin, running, bus, databases);
  }

  async close(): Promise<void> {
    await this.running.close();
    await this.bus.close();
    await Promise.all(this.databases.map((one) => one.drop()));
  }

  get dataSource(): DataSource {
    return this.running.app.get(DataSource);
  }

  /** The number of the last record of this topic and key. */
  lastSequence(topic: string, key: string): number {
    return this.sequences.get(`${topic}/${key}`) ?? 0;
  }

  /** The next record about this key, as the event's service would publish it; `type` in place of the event's own. */
  record(key: string, event: DomainEvent, type: string = event.type): BusRecord {
    const definition = publishedLanguage.definition(event.type);
    const topic = topicOf(definition);
    const sequence = this.lastSequence(topic, key) + 1;
    this.sequences.set(`${topic}/${key}`, sequence);
    return {
      topic,
      key,
      value: publishedLanguage.encode(event).data,
      headers: {
        ...{ ce_specversion: '1.0' as const, ce_id: `${key}@${sequence}` },
        ce_type: `gridbourse.${definition.context}.${type}.v1`,
        ...{ ce_source: `/gridbourse/${definition.context}`, ce_time: '2026-01-01T00:00:00.000Z' },
        ...{ ce_subject: key, ce_dataschema: '', sequence: String(sequence) },
      },
    };
  }

  say(key: string, ...events: DomainEvent[]): Promise<void> {
    return this.bus.publish(events.map((event) => this.record(key, event)));
  }

  /** An account with this API key, which comes the way it always comes: as events of the registry. */
  async admit(apiKey: string, scopes: readonly Scope[]): Promise<void> {
    const accountId = newAccountId();
    await this.say(accountId, openedAccount(accountId), {
      type: 'ApiKeyIssued',
      ...{ accountId, apiKeyId: newId('apiKey', systemClock.now(), systemRandom), keyHash: sha256(apiKey) },
      ...{ scopes: [...scopes], expiresAtMs: null, issuedAtMs: 1 },
    });
    await eventually(async () => (await this.call('GET', '/ops/bus', apiKey)).status !== 401, {
      deadlineMs: 30_000,
    });
  }

  /** @param body sent as JSON when it is there */
  call(
    method: string,
    path: string,
    apiKey: string,
    { body, headers = {} }: { body?: unknown; headers?: Record<string, string> } = {},
  ): Promise<Response> {
    return fetch(`${this.origin}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${apiKey}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }
}
