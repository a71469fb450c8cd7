import type { PlacementGroup, ServiceSpec } from '@gridbourse/events';
import { type Compute, mountVolumes } from './compute.ts';
import { type Context, LIMITS } from './context.ts';
import { asMap, Fields, namedEntries, readText } from './fields.ts';
import { didYouMean, quoted } from './nearest.ts';
import type { Placement } from './placement.ts';
import type { ReadService } from './services.ts';
import type { YamlEntry, YamlMapping } from './yaml-tree.ts';

/** A group whose services may still lack a price. */
export type DraftService = Omit<ServiceSpec, 'maxRateMicrosPerHour'> & { readonly price: bigint | null };
export type DraftGroup = Omit<PlacementGroup, 'services' | 'tierFloor'> & {
  readonly services: readonly DraftService[];
};

export type Parts = {
  readonly services: ReadonlyMap<string, ReadService>;
  readonly profiles: ReadonlyMap<string, Compute>;
  readonly placements: ReadonlyMap<string, Placement>;
  /** Whether a price that is missing in the manifest is a fault. */
  readonly pricesNeeded: boolean;
};

/** Joins services, compute profiles and placements as the `deployment` section says: one group for each placement. */
export const readDeployment = (context: Context, map: YamlMapping | null, parts: Parts): DraftGroup[] => {
  const { report } = context;
  const byPlacement = new Map<string, DraftService[]>();
  const attributes = new Map<string, Record<string, string>>();
  const deployed = new Set<string>();

  for (const { key, value } of namedEntries(map)) {
    const service = find(context, parts.services, key, 'service');
    const where = asMap(report, value, 'a map of placements');
    if (where === null) continue;
    deployed.add(key.text);
    if (where.entries.size === 0) report.fault(where, 'expected at least one placement, found an empty map');
    for (const entry of namedEntries(where)) {
      const placement = find(context, parts.placements, entry.key, 'placement');
      const drafted = readOne(context, entry, service, placement, parts);
      if (drafted === null || placement === null) continue;
      const name = placement.key.text;
      byPlacement.set(name, [...(byPlacement.get(name) ?? []), drafted.service]);
      attributes.set(name, { ...attributes.get(name), ...drafted.attributes });
    }
  }
  for (const service of parts.services.values()) {
    if (!deployed.has(service.name)) {
      report.warn(
        service.key,
        'service_not_deployed',
        `${quoted(service.name)} is in no deployment, so it will not run`,
      );
    }
  }
  for (const [name, placement] of parts.placements) {
    if (!byPlacement.has(name))
      report.warn(placement.key, 'placement_not_used', `${quoted(name)} is in no deployment`);
  }
  if (map !== null && map.entries.size === 0)
    report.fault(map, 'expected at least one service, found an empty map');

  return [...parts.placements.values()]
    .filter((placement) => byPlacement.has(placement.key.text))
    .map((placement) => ({
      name: placement.key.text,
      regions: [...new Set(placement.regions)],
      attributes: { ...placement.attributes, ...attributes.get(placement.key.text) },
      interconnect: placement.interconnect,
      maxProviders: placement.maxProviders,
      services: byPlacement.get(placement.key.text)!,
    }));
};

const find = <T>(
  { report }: Context,
  among: ReadonlyMap<string, T>,
  key: YamlEntry['key'],
  what: string,
): T | null => {
  const found = among.get(key.text);
  if (found !== undefined) return found;
  report.fault(key, `there is no ${what} ${quoted(key.text)}${didYouMean(key.text, [...among.keys()])}`);
  return null;
};

const readOne = (
  context: Context,
  { value }: YamlEntry,
  service: ReadService | null,
  placement: Placement | null,
  parts: Parts,
): { readonly service: DraftService; readonly attributes: Record<string, string> } | null => {
  const { report } = context;
  const map = asMap(report, value, 'a map with `profile` and `count`');
  if (map === null) return null;
  const fields = new Fields(report, map, ['profile', 'count']);
  const profileNode = fields.need('profile', 'the name of a compute profile');
  const profileName =
    profileNode === null ? null : readText(report, profileNode, 'the name of a compute profile');
  const replicas = fields.integer('count', { min: 1, max: LIMITS.replicas, what: 'a number of replicas' });
  if (fields.get('count') === null) report.fault(map, '`count` is missing: expected a number of replicas');
  if (profileName === null || service === null) return null;

  const compute = parts.profiles.get(profileName);
  if (compute === undefined) {
    const known = [...parts.profiles.keys()];
    report.fault(
      profileNode!,
      `there is no compute profile ${quoted(profileName)}${didYouMean(profileName, known)}`,
    );
    return null;
  }
  const price = placement?.prices.get(profileName);
  if (price === undefined && placement !== null && parts.pricesNeeded) {
    report.fault(
      profileNode!,
      `the placement ${quoted(placement.key.text)} has no price for the profile ${quoted(profileName)}`,
    );
  }
  const attributes: Record<string, string> = {};
  if (service.tee !== null) attributes['tee'] = service.tee;
  if (compute.cpuArchitecture !== null) attributes['cpu-arch'] = compute.cpuArchitecture;
  return {
    attributes,
    service: {
      name: service.name,
      ...service.spec,
      replicas: replicas ?? 1,
      resources: {
        cpuMillis: compute.cpuMillis,
        memoryMiB: compute.memoryMiB,
        gpu: compute.gpu,
        volumes: mountVolumes(context, compute, service.mounts),
      },
      price: price ?? null,
    },
  };
};
