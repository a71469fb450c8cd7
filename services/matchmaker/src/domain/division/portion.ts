import type { GroupPart, PlacementGroup, WorkloadSpec } from '@gridbourse/events';
import { invalid } from '@gridbourse/kernel';
import { interconnectRank } from '../interconnect.ts';
import { groupNeed, type GroupNeed, type MatchRequest } from '../requirements.ts';

const replicasOf = (group: PlacementGroup): number =>
  group.services.reduce((total, { replicas }) => total + replicas, 0);

/** A service that reaches another by name finds it inside one cluster only. */
const hasPeers = ({ services }: PlacementGroup): boolean => {
  const names = new Set(services.map(({ name }) => name));
  return services.some(({ name, ports }) =>
    ports.some((port) => port.services.some((peer) => peer !== name && names.has(peer))),
  );
};

/** Between the machines of two providers is the internet, whatever each has inside. */
const needsNetwork = ({ interconnect }: PlacementGroup): boolean => interconnectRank(interconnect) > 0;

/** Into how many parts a group can be divided at most; 1 where it cannot. */
export const mostParts = (group: PlacementGroup): number =>
  hasPeers(group) || needsNetwork(group) ? 1 : Math.min(group.maxProviders, replicasOf(group));

/** The most leases that an order can have at a time. */
export const mostLeases = ({ groups }: WorkloadSpec): number =>
  groups.reduce((total, group) => total + mostParts(group), 0);

/** The same group with so many replicas of each of its services; those with none are left out. */
export const portionOf = (group: PlacementGroup, replicas: readonly number[]): PlacementGroup => ({
  ...group,
  services: group.services.flatMap((service, at) =>
    replicas[at]! > 0 ? [{ ...service, replicas: replicas[at]! }] : [],
  ),
});

/** What a portion needs; what the whole group may cost stays the limit. */
export const portionNeed = (
  request: MatchRequest,
  whole: GroupNeed,
  replicas: readonly number[],
): GroupNeed => ({
  ...groupNeed(request, portionOf(whole.group, replicas)),
  limitMicrosPerHour: whole.limitMicrosPerHour,
});

/** Which replicas of the group each part has, when they are handed out in the order of the parts. */
export const partsOf = (
  group: PlacementGroup,
  replicasByPart: readonly (readonly number[])[],
): GroupPart[] => {
  const next = group.services.map(() => 0);
  return replicasByPart.map((replicas, at) => ({
    number: at + 1,
    of: replicasByPart.length,
    services: group.services.flatMap((service, i) => {
      if (replicas[i] === 0) return [];
      const firstReplica = next[i]!;
      next[i] = firstReplica + replicas[i]!;
      return [{ service: service.name, firstReplica, ofReplicas: service.replicas }];
    }),
  }));
};

/**
 * @throws DomainError invalid `auction_not_divisible` (a bid is for a whole group), `group_not_divisible` for a group
 * whose services reach each other by name or that asks for a network between its machines
 */
export const checkDivisible = ({ groups }: WorkloadSpec, mode: 'instant' | 'auction'): void => {
  const pointer = '/maxProviders';
  for (const group of groups) {
    if (group.maxProviders === 1) continue;
    if (mode === 'auction') {
      throw invalid('auction_not_divisible', 'a bid is for a whole group: an auction divides none', [
        { pointer, message: 'expected 1, or an order that is matched at once' },
      ]);
    }
    if (needsNetwork(group)) {
      throw invalid(
        'group_not_divisible',
        `group ${group.name} asks for ${group.interconnect} between its machines, and providers are joined by the internet`,
        [{ pointer, message: 'expected 1, or no interconnect' }],
      );
    }
    if (hasPeers(group)) {
      throw invalid(
        'group_not_divisible',
        `services of group ${group.name} reach each other by name, which works inside one cluster only`,
        [{ pointer, message: 'expected 1, or services that need no connection to each other' }],
      );
    }
  }
};
