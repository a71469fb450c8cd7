import type { EntityManager } from 'typeorm';
import type { RegistryProviderEvent } from '../domain/private-events.ts';
import { FIRST_TIER } from '../domain/tiers.ts';

type Event<T extends RegistryProviderEvent['type']> = Extract<RegistryProviderEvent, { type: T }>;

const registered = (manager: EntityManager, event: Event<'ProviderRegistered'>): Promise<unknown> =>
  manager.query(
    `INSERT INTO providers
       (provider_id, account_id, wallet, name, region, place, attributes, tier, registered_at_ms)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [
      event.providerId,
      event.accountId,
      event.wallet,
      event.name,
      event.place.region,
      JSON.stringify(event.place),
      JSON.stringify(event.attributes),
      FIRST_TIER,
      event.registeredAtMs,
    ],
  );

const offerPublished = (manager: EntityManager, event: Event<'OfferPublished'>): Promise<unknown> =>
  manager.query(
    `INSERT INTO offers
       (offer_id, provider_id, revision, gpu_model, gpu, nodes, node_count, gpus_total, per_gpu_micros,
        per_cpu_core_micros, per_memory_gib_micros, per_storage_gib_micros, policy, storage_classes, interconnect,
        published_at_ms)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
     ON CONFLICT (offer_id) DO UPDATE SET
       revision = excluded.revision, gpu_model = excluded.gpu_model, gpu = excluded.gpu, nodes = excluded.nodes,
       node_count = excluded.node_count, gpus_total = excluded.gpus_total, per_gpu_micros = excluded.per_gpu_micros,
       per_cpu_core_micros = excluded.per_cpu_core_micros, per_memory_gib_micros = excluded.per_memory_gib_micros,
       per_storage_gib_micros = excluded.per_storage_gib_micros, policy = excluded.policy,
       storage_classes = excluded.storage_classes, interconnect = excluded.interconnect, withdrawn = false,
       published_at_ms = excluded.published_at_ms`,
    [
      event.offerId,
      event.providerId,
      event.revision,
      event.gpu?.model ?? null,
      event.gpu === null ? null : JSON.stringify(event.gpu),
      JSON.stringify(event.nodes),
      event.nodes.length,
      event.nodes.reduce((sum, node) => sum + node.gpus, 0),
      event.price.perGpu.toString(),
      event.price.perCpuCore.toString(),
      event.price.perMemoryGiB.toString(),
      event.price.perStorageGiB.toString(),
      JSON.stringify(event.policy),
      event.storageClasses,
      event.interconnect,
      event.publishedAtMs,
    ],
  );

/** One column of a provider that an event sets, null for events that set none. */
const providerColumn = (event: RegistryProviderEvent): [string, unknown] | null => {
  switch (event.type) {
    case 'ProviderActivated':
      return ['staked', true];
    case 'ProviderDeactivated':
      return ['staked', false];
    case 'ProviderSuspended':
      return ['suspended', true];
    case 'ProviderReinstated':
      return ['suspended', false];
    case 'ProviderOnline':
      return ['liveness', 'online'];
    case 'ProviderUnreachable':
      return ['liveness', 'unreachable'];
    case 'ProviderOffline':
      return ['liveness', 'offline'];
    case 'TierChanged':
      return ['tier', event.to];
    default:
      return null;
  }
};

/** Providers and offers as the API shows them. */
export const projectProvider = async (
  manager: EntityManager,
  events: readonly RegistryProviderEvent[],
): Promise<void> => {
  for (const event of events) {
    const column = providerColumn(event);
    if (column) {
      await manager.query(`UPDATE providers SET ${column[0]} = $2 WHERE provider_id = $1`, [
        event.providerId,
        column[1],
      ]);
    } else if (event.type === 'ProviderRegistered') await registered(manager, event);
    else if (event.type === 'StakeSeen') {
      await manager.query(
        'UPDATE providers SET chain_provider_id = $2, stake_micros = $3 WHERE provider_id = $1',
        [event.providerId, event.chainProviderId, event.stakeMicros.toString()],
      );
    } else if (event.type === 'OfferPublished') await offerPublished(manager, event);
    else if (event.type === 'OfferWithdrawn') {
      await manager.query('UPDATE offers SET withdrawn = true WHERE offer_id = $1', [event.offerId]);
    }
  }
};
