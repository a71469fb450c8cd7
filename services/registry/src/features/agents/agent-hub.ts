import { CLOCK, LOGGER, RANDOM, SERVICE_CONFIG } from '@gridbourse/api';
import { findGpu, readGpuName, sharingText } from '@gridbourse/catalog';
import {
  type Clock,
  conflict,
  type Instant,
  notFound,
  type ProviderId,
  type Random,
} from '@gridbourse/kernel';
import type { Logger } from '@gridbourse/observability';
import type { registryV1 } from '@gridbourse/proto';
import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Aggregates } from '../../aggregates/aggregates.ts';
import { providers } from '../../aggregates/registry-aggregates.ts';
import { nextChallengeDelayMs } from '../../domain/challenges.ts';
import { type Capacities, nextInventory, type NodeReport } from '../../domain/inventory.ts';
import type { Liveness } from '../../domain/liveness.ts';
import type { ProviderCommand } from '../../domain/provider.ts';
import { ProviderEntity } from '../../read-models/provider.entity.ts';
import type { RegistryConfig } from '../../registry.config.ts';
import type { AgentConnection } from './agent-connection.ts';
import { inventoryDigest } from './agent-texts.ts';
import { Sightings } from './sightings.ts';
import { TelemetryMetrics } from './telemetry-metrics.ts';
import { track, type TrackedProvider } from './tracked-provider.ts';

type LivenessCommand = Extract<ProviderCommand, { type: 'HearHeartbeat' | 'MissHeartbeats' | 'GiveUp' }>;

/** A label tells a MIG profile, but of time slices not how many there are: those are never what an offer says. */
const sharingOfLabel = (label: string): string => {
  const sharing = readGpuName(label)?.sharing;
  return sharing?.kind === 'mig'
    ? sharingText({ mode: 'mig', profile: sharing.profile })
    : (sharing?.kind ?? 'whole');
};

/** Every provider that was ever heard of, with its agent's stream where there is one. */
@Injectable()
export class AgentHub implements OnModuleInit, OnModuleDestroy {
  private readonly tracked = new Map<string, TrackedProvider>();
  private streams = 0;
  private closing = false;

  constructor(
    private readonly dataSource: DataSource,
    private readonly aggregates: Aggregates,
    private readonly sightings: Sightings,
    private readonly metrics: TelemetryMetrics,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(RANDOM) private readonly random: Random,
    @Inject(SERVICE_CONFIG) private readonly config: RegistryConfig,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    metrics.observe('gridbourse_registry_agent_streams', 'Streams of provider agents', () => this.streams);
    for (const liveness of ['online', 'unreachable', 'offline'] satisfies Liveness[]) {
      metrics.observe(`gridbourse_registry_providers_${liveness}`, `Providers that are ${liveness}`, () =>
        this.count(liveness),
      );
    }
  }

  /** Providers of before are expected back: they are watched from the start, each with a fresh time to show up. */
  async onModuleInit(): Promise<void> {
    const rows = await this.dataSource.query<
      { provider_id: string; wallet: string; liveness: Liveness; last_seen_at_ms: string | null }[]
    >(
      `SELECT p.provider_id, p.wallet, p.liveness, s.last_seen_at_ms
       FROM providers p LEFT JOIN provider_sightings s USING (provider_id) WHERE p.liveness <> 'unseen'`,
    );
    for (const row of rows) {
      this.add(row.provider_id, row.wallet, row.liveness, Number(row.last_seen_at_ms ?? 0));
    }
  }

  /** Streams would otherwise hold up the stop of the gRPC server. Agents connect again by themselves. */
  onModuleDestroy(): void {
    this.closing = true;
    for (const provider of this.tracked.values()) {
      if (provider.connection) this.dismiss(provider.connection, 'shutting_down', 'the registry is stopping');
      provider.connection = null;
    }
  }

  all(): IterableIterator<TrackedProvider> {
    return this.tracked.values();
  }

  /** Null when no provider of this id is registered. */
  async find(providerId: string): Promise<TrackedProvider | null> {
    const known = this.tracked.get(providerId);
    if (known) return known;
    const row = await this.dataSource.getRepository(ProviderEntity).findOneBy({ providerId });
    if (!row) return null;
    return this.tracked.get(providerId) ?? this.add(row.providerId, row.wallet, row.liveness, 0);
  }

  /** Why a further stream cannot be taken; null when it can. */
  opened(): 'shutting_down' | 'too_many_streams' | null {
    if (this.closing) return 'shutting_down';
    if (this.streams >= this.config.maxAgentStreams) return 'too_many_streams';
    this.streams += 1;
    return null;
  }

  closed(): void {
    this.streams -= 1;
  }

  /** The newest stream of a provider counts; an older one is sent away. */
  attach(provider: TrackedProvider, connection: AgentConnection, atMs: Instant): void {
    if (provider.connection)
      this.dismiss(provider.connection, 'superseded', 'another agent of this provider connected');
    provider.connection = connection;
    provider.connectedAtMs = atMs;
    provider.inventoryDigest = '';
    provider.nextChallengeAtMs =
      atMs + nextChallengeDelayMs(this.random, this.config.challengeMeanIntervalMs);
  }

  detach(provider: TrackedProvider, connection: AgentConnection): void {
    if (provider.connection === connection) provider.connection = null;
  }

  /** A valid heartbeat arrived. */
  async heard(provider: TrackedProvider, atMs: Instant): Promise<void> {
    provider.lastSeenAtMs = atMs;
    this.sightings.note(provider.providerId, atMs);
    if (provider.liveness !== 'online') await this.setLiveness(provider, { type: 'HearHeartbeat', atMs });
  }

  /** Takes a believable inventory, and brings the offers in line with it. */
  async takeInventory(
    provider: TrackedProvider,
    nodes: readonly registryV1.NodeInventory[],
    reports: readonly NodeReport[],
    atMs: Instant,
  ): Promise<void> {
    const digest = inventoryDigest(nodes);
    if (digest !== provider.inventoryDigest || provider.inventory.settling) {
      if (digest !== provider.inventoryDigest) this.noteErrors(provider.providerId, nodes);
      provider.inventoryDigest = digest;
      provider.hasGpus = reports.some((report) => report.gpuCapacity > 0);
      provider.inventory = nextInventory(provider.inventory, reports, {
        atMs,
        connectedAtMs: provider.connectedAtMs,
        gpuSettleMs: this.config.gpuSettleMs,
        modelOf: (label) => (label === '' ? null : (findGpu(label)?.id ?? null)),
        sharingOf: sharingOfLabel,
      });
      provider.offersBehind = true;
    }
    if (!provider.offersBehind) return;
    const { capacities } = provider.inventory;
    await this.aggregates.execute(providers, provider.providerId, [
      { type: 'SeeCapacities', capacities, atMs },
    ]);
    provider.offersBehind = false;
  }

  /** What is left of the machines of a provider, as far as its agent told; empty when it told nothing. */
  capacitiesOf(providerId: string): Capacities {
    return this.tracked.get(providerId)?.inventory.capacities ?? new Map();
  }

  async setLiveness(provider: TrackedProvider, command: LivenessCommand): Promise<void> {
    const { state, events } = await this.aggregates.execute(providers, provider.providerId, [command]);
    provider.liveness = state.liveness;
    for (const event of events)
      this.logger.info({ providerId: provider.providerId, event: event.type }, 'liveness changed');
  }

  /**
   * On an operator's word instead of a grace time.
   * @throws DomainError `provider_not_found`, `provider_not_unreachable`
   */
  async giveUp(providerId: string): Promise<void> {
    const provider = await this.find(providerId);
    if (!provider) throw notFound('provider', providerId);
    if (provider.liveness !== 'unreachable') {
      throw conflict(
        'provider_not_unreachable',
        `the provider is ${provider.liveness}, and only an unreachable one is given up`,
      );
    }
    const { lastSeenAtMs } = provider;
    await this.setLiveness(provider, { type: 'GiveUp', lastSeenAtMs, atMs: this.clock.now() });
  }

  private add(
    providerId: string,
    wallet: string,
    liveness: Liveness,
    lastSeenAtMs: Instant,
  ): TrackedProvider {
    const nextChallengeAtMs =
      this.clock.now() + nextChallengeDelayMs(this.random, this.config.challengeMeanIntervalMs);
    const provider = track({
      providerId: providerId as ProviderId,
      wallet,
      liveness,
      lastSeenAtMs,
      nextChallengeAtMs,
    });
    this.tracked.set(providerId, provider);
    return provider;
  }

  private dismiss(connection: AgentConnection, code: string, message: string): void {
    connection.send({ refusal: { code, message } });
    connection.end();
  }

  private noteErrors(providerId: string, nodes: readonly registryV1.NodeInventory[]): void {
    for (const { name, xidErrors } of nodes) {
      if (xidErrors.length === 0) continue;
      this.logger.warn({ providerId, node: name, xidErrors }, 'a machine reports GPU errors');
      for (const xid of xidErrors) this.metrics.xidErrors.add(1, { xid });
    }
  }

  private count(liveness: Liveness): number {
    let count = 0;
    for (const provider of this.tracked.values()) if (provider.liveness === liveness) count += 1;
    return count;
  }
}
