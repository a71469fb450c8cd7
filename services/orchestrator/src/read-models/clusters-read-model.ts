import type { HearingReadModel } from '@gridbourse/event-store';
import {
  type DomainEvent,
  type EventOf,
  providerClusterAttached,
  providerOffline,
  providerOnline,
} from '@gridbourse/events';
import type { EntityManager } from 'typeorm';
import { ClusterEntity } from './cluster.entity.ts';

type ClusterEvent = EventOf<typeof providerClusterAttached | typeof providerOffline | typeof providerOnline>;

/** What a word of the registry makes of the clusters. */
export const applyClusterEvent = async (manager: EntityManager, event: ClusterEvent): Promise<void> => {
  const clusters = manager.getRepository(ClusterEntity);
  const { providerId } = event;
  switch (event.type) {
    case 'ProviderClusterAttached': {
      const { apiServer, kubeconfig, attachedAtMs } = event;
      await clusters.upsert({ providerId, apiServer, kubeconfig, attachedAtMs }, ['providerId']);
      return;
    }
    case 'ProviderOffline':
      await clusters.update({ providerId }, { offlineSinceMs: event.atMs });
      return;
    case 'ProviderOnline':
      await clusters.update({ providerId }, { offlineSinceMs: null });
  }
};

/** Where the clusters of the providers are, made anew from what the registry said. */
export const clustersReadModel: HearingReadModel<DomainEvent> = {
  name: 'clusters',
  version: 1,
  tables: ['clusters'],
  hears: [providerClusterAttached, providerOffline, providerOnline],
  project: async (manager, facts) => {
    for (const fact of facts) {
      if ('heard' in fact) await applyClusterEvent(manager, fact.heard.event as ClusterEvent);
    }
  },
};
