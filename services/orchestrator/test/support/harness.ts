import { AccountDirectory, hashApiKey, type RunningService, startService } from '@gridbourse/api';
import { EmbeddedBus } from '@gridbourse/event-bus';
import {
  type accountOpened,
  type apiKeyIssued,
  cloudEventTypeOf,
  type DomainEvent,
  type EventOf,
  type leaseClosing,
  type leaseFunded,
  type providerClusterAttached,
  publishedLanguage,
  topicOf,
  type WorkloadEvent,
  workloadRunning,
} from '@gridbourse/events';
import type { AccountId, LeaseId } from '@gridbourse/kernel';
import {
  type KubeSim,
  type KubeSimOptions,
  NAMESPACES,
  type Pod,
  PODS,
  startKubeSim,
} from '@gridbourse/kube-sim';
import { configureLogging, silentLogger } from '@gridbourse/observability';
import { generateSealingKey, seal } from '@gridbourse/sealing';
import { eventually, testDatabase } from '@gridbourse/testing';
import { randomBytes, randomUUID } from 'node:crypto';
import { text as readText } from 'node:stream/consumers';
import { DataSource } from 'typeorm';
import { namespaceOf } from '../../src/domain/objects/names.ts';
import { orchestratorService } from '../../src/index.ts';
import { type LeaseProposedEvent, leaseOf, newAccountId, newProviderId } from './fixtures.ts';

const NODES = [
  { name: 'node-1', cpuMillis: 64_000, memoryMiB: 256_000, storageMiB: 2_000_000 },
  {
    name: 'gpu-1',
    cpuMillis: 64_000,
    memoryMiB: 512_000,
    storageMiB: 2_000_000,
    gpus: 8,
    gpu: { product: 'NVIDIA-H100-80GB-HBM3', vramMiB: 81_559 },
  },
  {
    ...{ name: 'whole-1', cpuMillis: 64_000, memoryMiB: 512_000, storageMiB: 2_000_000, gpus: 4 },
    gpu: { product: 'NVIDIA-L4', vramMiB: 23_034 },
  },
  {
    // Under the name of whole GPUs: only labels tell that they are not.
    ...{ name: 'slots-1', cpuMillis: 64_000, memoryMiB: 512_000, storageMiB: 2_000_000, gpus: 8 },
    gpu: {
      ...{ product: 'NVIDIA-L4', vramMiB: 23_034 },
      sharing: { mode: 'shared' as const, slotsPerGpu: 4, renamed: false },
    },
  },
];

export const FAST = {
  meterWindowSeconds: 1,
  evidenceIntervalMs: 200,
  attentionIntervalMs: 100,
  reconcileIntervalMs: 300,
  unknownAfterMs: 1_000,
  callDeadlineMs: 800,
  watchIdleMs: 3_000,
  terminationGraceSeconds: 1,
  orphanGraceMs: 600,
  massChangeWindowMs: 1_000,
  massChangeHoldMs: 3_000,
  startDeadlinesMs: {
    image_pull: 400,
    unschedulable: 400,
    crash_loop: 400,
    quota: 400,
    no_gpu: 400,
    deadline: 20_000,
  },
};

/**
 * Real: the service with its Nest module, Postgres, the embedded bus, HTTP to the cluster. The cluster is kube-sim.
 * The other services are played by publishing their events.
 */
export class Harness {
  readonly events: WorkloadEvent[] = [];
  readonly providerId = newProviderId();
  readonly sim: KubeSim;
  service: RunningService;
  private readonly sequences = new Map<string, number>();

  private constructor(
    private readonly parts: {
      sim: KubeSim;
      service: RunningService;
      bus: EmbeddedBus;
      config: Record<string, unknown>;
      publicKey: string;
      drop: () => Promise<void>;
    },
  ) {
    this.sim = parts.sim;
    this.service = parts.service;
  }

  static async start(
    options: { config?: Record<string, unknown>; sim?: Partial<KubeSimOptions> } = {},
  ): Promise<Harness> {
    configureLogging({ level: (process.env['LOG_LEVEL'] as 'silent' | undefined) ?? 'silent' });
    const [database, busDatabase, key, sim] = await Promise.all([
      testDatabase('orchestrator'),
      testDatabase('orchestrator_bus'),
      generateSealingKey(),
      startKubeSim({ nodes: NODES, speed: 2, bookmarkIntervalMs: 500, ...options.sim }),
    ]);
    const bus = new EmbeddedBus({
      databaseUrl: busDatabase.url,
      logger: silentLogger,
      pollMs: 50,
      rebalanceMs: 100,
    });
    await bus.start();
    const config = {
      databaseUrl: database.url,
      bus: { adapter: 'embedded', url: busDatabase.url },
      jwksUrl: 'http://127.0.0.1:9/jwks.json',
      publicOrigin: 'http://127.0.0.1:9',
      logLevel: 'silent',
      sealingKey: key,
      ...FAST,
      ...options.config,
    };
    const service = await startService(orchestratorService, config, { bus });
    const drop = async (): Promise<void> => {
      await Promise.all([database.drop(), busDatabase.drop()]);
    };
    const harness = new Harness({ sim, service, bus, config, publicKey: key.publicKey, drop });
    await harness.listen();
    return harness;
  }

  async close(): Promise<void> {
    await this.service.close();
    await this.parts.bus.close();
    await this.sim.close();
    await this.parts.drop();
  }

  async restart(whileDown: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    await this.service.close();
    await whileDown();
    this.service = await startService(orchestratorService, this.parts.config, { bus: this.parts.bus });
  }

  /** Plays the service that owns the event. */
  async publish(event: DomainEvent, key: string): Promise<void> {
    const definition = publishedLanguage.definition(event.type);
    const topic = topicOf(definition);
    const sequence = (this.sequences.get(`${topic}/${key}`) ?? 0) + 1;
    this.sequences.set(`${topic}/${key}`, sequence);
    await this.parts.bus.publish([
      {
        topic,
        key,
        value: publishedLanguage.encode(event).data,
        headers: {
          ce_specversion: '1.0',
          ce_id: randomUUID(),
          ce_type: cloudEventTypeOf(definition),
          ce_source: `/gridbourse/${definition.context}`,
          ce_time: new Date().toISOString(),
          ce_subject: key,
          ce_dataschema: '',
          sequence: String(sequence),
        },
      },
    ]);
  }

  async attachCluster(): Promise<void> {
    const { providerId } = this;
    const kubeconfig = await seal(this.parts.publicKey, this.sim.kubeconfig, providerId);
    const event: EventOf<typeof providerClusterAttached> = {
      type: 'ProviderClusterAttached',
      providerId,
      apiServer: this.sim.url,
      kubeconfig,
      attachedAtMs: Date.now(),
    };
    await this.publish(event, providerId);
  }

  async sealed(secrets: object, orderId: string) {
    return seal(this.parts.publicKey, JSON.stringify(secrets), orderId);
  }

  async propose(change: Parameters<typeof leaseOf>[0] = {}): Promise<LeaseProposedEvent> {
    const lease = leaseOf({ providerId: this.providerId, ...change });
    await this.publish(lease, lease.leaseId);
    return lease;
  }

  async fund(leaseId: LeaseId): Promise<void> {
    const event: EventOf<typeof leaseFunded> = {
      type: 'LeaseFunded',
      leaseId,
      chainLeaseKey: '1',
      fundedAtMs: Date.now(),
    };
    await this.publish(event, leaseId);
  }

  async run(change: Parameters<typeof leaseOf>[0] = {}): Promise<LeaseProposedEvent> {
    const lease = await this.propose(change);
    await this.fund(lease.leaseId);
    return lease;
  }

  async closeLease(
    leaseId: LeaseId,
    reason: EventOf<typeof leaseClosing>['reason'] = 'tenant',
  ): Promise<number> {
    const atMs = Date.now();
    await this.publish({ type: 'LeaseClosing', leaseId, reason, detail: '', atMs } as DomainEvent, leaseId);
    return atMs;
  }

  of(leaseId: LeaseId): WorkloadEvent[] {
    return this.events.filter((event) => event.leaseId === leaseId);
  }

  types(leaseId: LeaseId): string[] {
    return this.of(leaseId).map(({ type }) => type);
  }

  /** The first event of the type, once it is published. */
  async until<T extends WorkloadEvent['type']>(
    leaseId: LeaseId,
    type: T,
    count = 1,
  ): Promise<Extract<WorkloadEvent, { type: T }>> {
    return eventually(
      () => {
        const found = this.of(leaseId).filter((event) => event.type === type)[count - 1];
        if (!found) throw new Error(`${type} is not there; there are ${this.types(leaseId).join(', ')}`);
        return found as Extract<WorkloadEvent, { type: T }>;
      },
      { deadlineMs: 15_000 },
    );
  }

  usage(leaseId: LeaseId): Extract<WorkloadEvent, { type: 'UsageRecorded' }>[] {
    return this.of(leaseId).filter((event) => event.type === 'UsageRecorded');
  }

  namespaces(): string[] {
    const names = this.sim.store.list(NAMESPACES).map(({ metadata }) => metadata.name);
    return names.filter((name) => name.startsWith('gb-'));
  }

  pods(leaseId: LeaseId): Pod[] {
    return this.sim.store.list<Pod>(PODS, namespaceOf(leaseId));
  }

  /** Somebody else at work in the cluster. */
  async cluster(method: string, path: string, body?: object): Promise<unknown> {
    const answer = await fetch(this.sim.url + path, {
      method,
      headers: { authorization: `Bearer ${this.sim.token}`, 'content-type': 'application/json' },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  async deletePod(pod: Pod): Promise<void> {
    const { namespace, name } = pod.metadata;
    await this.cluster('DELETE', `/api/v1/namespaces/${namespace}/pods/${name}?gracePeriodSeconds=0`);
  }

  /** How often the service stored an event of the type, private ones included. */
  async stored(leaseId: LeaseId, type: string): Promise<number> {
    const rows = await this.service.app
      .get(DataSource)
      .query<unknown[]>('SELECT 1 FROM events WHERE stream_id = $1 AND type = $2', [leaseId, type]);
    return rows.length;
  }

  /** Every row that the service keeps, as text. */
  async dump(): Promise<string> {
    const dataSource = this.service.app.get(DataSource);
    const rows: unknown[] = [];
    // A kubeconfig is sealed as long as its cluster is known.
    const heard = `bus_journal WHERE type <> 'ProviderClusterAttached'`;
    for (const table of ['leases', 'workloads', 'workload_sightings', 'events', heard])
      rows.push(await dataSource.query(`SELECT * FROM ${table}`));
    return JSON.stringify(rows);
  }

  /** An account with an API key, as the registry would have announced it. */
  async account(): Promise<{ accountId: AccountId; headers: Record<string, string> }> {
    const accountId = newAccountId();
    const key = `gbk_${randomBytes(32).toString('base64url')}`;
    const opened: EventOf<typeof accountOpened> = {
      type: 'AccountOpened',
      accountId,
      wallet: `0x${randomBytes(20).toString('hex')}`,
      name: 'tenant',
      openedAtMs: Date.now(),
    };
    const issued: EventOf<typeof apiKeyIssued> = {
      type: 'ApiKeyIssued',
      accountId,
      apiKeyId: `key_${accountId.slice(4)}`,
      keyHash: hashApiKey(key),
      scopes: ['leases:read'],
      expiresAtMs: null,
      issuedAtMs: Date.now(),
    };
    await this.publish(opened, accountId);
    await this.publish(issued, accountId);
    await eventually(() => this.service.app.get(AccountDirectory).keyByHash(issued.keyHash));
    return { accountId, headers: { authorization: `Bearer ${key}` } };
  }

  async get(path: string, headers: Record<string, string> = {}): Promise<{ status: number; body: string }> {
    const fastify = this.service.app.getHttpAdapter().getInstance();
    const answer = await fastify.inject({ method: 'GET', url: path, headers });
    return { status: answer.statusCode, body: answer.body };
  }

  /** Opens an answer that goes on. */
  async follow(path: string, headers: Record<string, string>): Promise<{ whole: Promise<string> }> {
    const fastify = this.service.app.getHttpAdapter().getInstance();
    const answer = await fastify.inject({ method: 'GET', url: path, headers, payloadAsStream: true });
    return { whole: readText(answer.stream()) };
  }

  private async listen(): Promise<void> {
    await this.parts.bus.subscribe({
      group: 'test',
      topics: [topicOf(workloadRunning)],
      handler: (delivery) => {
        const type = delivery.headers.ce_type.split('.')[2]!;
        const event = publishedLanguage.decode({ type, schemaVersion: 1, data: delivery.value });
        this.events.push(event as WorkloadEvent);
        return Promise.resolve();
      },
    });
  }
}
