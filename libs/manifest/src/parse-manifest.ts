import { findRegion, regions as allRegions } from '@gridbourse/catalog';
import {
  type PlacementGroup,
  type WorkloadSecrets,
  type WorkloadSpec,
  workloadSpec,
} from '@gridbourse/events';
import { DomainError } from '@gridbourse/kernel';
import { z } from 'zod';
import { splitBudget } from './budget.ts';
import { readComputeProfiles } from './compute.ts';
import { type Context, LIMITS } from './context.ts';
import { type DraftGroup, readDeployment } from './deployment.ts';
import { readDialect } from './dialect.ts';
import { asMap, type Extras, Fields, namedEntries } from './fields.ts';
import type { ManifestOptions, ParsedManifest } from './parsed-manifest.ts';
import { readPlacements } from './placement.ts';
import { DURATION_UNITS, readDurationSeconds } from './quantity.ts';
import { Report } from './report.ts';
import { type ReadService, readServices } from './services.ts';
import { readTierFloor, WORST_OF_ALL } from './tiers.ts';
import { readYaml, type YamlMapping } from './yaml-tree.ts';

const DEFAULT_DURATION_SECONDS = 3_600;
const ROOT_FIELDS = ['version', 'services', 'profiles', 'deployment', 'endpoints'];
const SDL_PROFILE_FIELDS = ['compute', 'placement'];
const ICL_PROFILE_FIELDS = ['name', 'mode', 'duration', 'tier', 'tiers', 'compute', 'placement'];
const PROFILE_EXTRAS: Extras = {
  storage: 'storage is asked for in a compute profile, and no dialect reads this list',
};

/**
 * Reads an Akash SDL 2.0/2.1 or Spheron ICL 1.0/2.0 manifest into the one description of a workload, with the values
 * of its secrets apart. Nothing is dropped or defaulted in silence: what cannot be honoured as written is a warning, and
 * what is not understood is a fault. Prices become micro-USDC per hour and replica (`price-table.ts` has the rule).
 * @throws DomainError `invalid_manifest`, with every fault's JSON pointer, line, column and what was expected;
 *   `invalid_manifest_options` when an option is out of its range
 */
export const parseManifest = (text: string, options: ManifestOptions = {}): ParsedManifest => {
  checkOptions(options);
  const report = new Report();
  const tree = readYaml(text, report);
  const root =
    tree && asMap(report, tree, 'a manifest: a map with `version`, `services`, `profiles` and `deployment`');
  const dialect = root && readDialect(report, root);
  const parsed = root && dialect && readRoot(report, root, dialect, options);
  report.assertClean();
  if (!parsed)
    throw new DomainError('internal', 'manifest_not_read', 'the manifest was not read, without a reason');
  const checked = z.safeEncode(workloadSpec, parsed.spec);
  if (!checked.success) {
    for (const issue of checked.error.issues.slice(0, 20)) {
      report.fault({ pointer: `/${issue.path.map(String).join('/')}`, line: 1, column: 1 }, issue.message);
    }
    report.assertClean();
  }
  return { ...parsed, warnings: report.warnings };
};

const readRoot = (
  report: Report,
  root: YamlMapping,
  { dialect, version }: Pick<WorkloadSpec, 'dialect'> & { version: string },
  options: ManifestOptions,
): Omit<ParsedManifest, 'warnings'> | null => {
  const fields = new Fields(report, root, ROOT_FIELDS);
  const servicesMap = fields.needMap('services', 'a map of services');
  const profiles = fields.needMap('profiles', 'a map with `compute` and `placement`');
  const deployment = fields.needMap('deployment', 'a map of deployed services');
  if (profiles === null || !isOfSaneSize(report, servicesMap, profiles)) return null;
  const context: Context = {
    report,
    dialect,
    serviceNames: new Set(servicesMap?.entries.keys()),
    endpointNames: readEndpoints(report, fields),
  };
  const services = servicesMap === null ? new Map<string, ReadService>() : readServices(context, servicesMap);
  const own = new Fields(
    report,
    profiles,
    dialect === 'spheron-icl' ? ICL_PROFILE_FIELDS : SDL_PROFILE_FIELDS,
    PROFILE_EXTRAS,
  );
  const groups = readDeployment(context, deployment, {
    services,
    profiles: readComputeProfiles(context, own.needMap('compute', 'a map of compute profiles')),
    placements: readPlacements(
      context,
      own.needMap('placement', 'a map of placements'),
      options.usdPerToken ?? {},
    ),
    pricesNeeded: options.maxRateMicrosPerHour === undefined,
  });
  const tierFloor = readTiers(report, own);
  checkMode(report, own);
  const spec = {
    dialect,
    dialectVersion: version,
    name: readName(report, own, options, services),
    run: options.run ?? 'service',
    durationSeconds: readDuration(context, own, options),
    groups: price(report, profiles, groups, options).map((group) => ({
      ...group,
      regions: options.regions === undefined ? group.regions : [...options.regions],
      tierFloor: options.tierFloor ?? tierFloor ?? WORST_OF_ALL,
    })),
  } satisfies WorkloadSpec;
  return { spec, secrets: collectSecrets(spec, services) };
};

/** More than this is refused before the parts are compared with one another. */
const isOfSaneSize = (report: Report, services: YamlMapping | null, profiles: YamlMapping): boolean => {
  const checks = [
    [services, LIMITS.services, 'services'],
    [profiles.entries.get('compute')?.value, LIMITS.profiles, 'compute profiles'],
    [profiles.entries.get('placement')?.value, LIMITS.placements, 'placements'],
  ] as const;
  let sane = true;
  for (const [node, limit, what] of checks) {
    if (node?.kind !== 'map' || node.entries.size <= limit) continue;
    report.fault(node, `more than ${limit} ${what}`);
    sane = false;
  }
  return sane;
};

const readEndpoints = (report: Report, fields: Fields): Set<string> => {
  const names = new Set<string>();
  for (const { key, value } of namedEntries(fields.map('endpoints', 'a map of endpoints'))) {
    const endpoint = asMap(report, value, 'a map with `kind`');
    const kind = endpoint && new Fields(report, endpoint, ['kind']).needText('kind', '`ip`');
    if (kind !== null && kind !== 'ip') report.fault(value, 'expected an endpoint of kind `ip`');
    names.add(key.text);
  }
  return names;
};

const readTiers = (report: Report, profiles: Fields): number | null => {
  const floors = ['tier', 'tiers']
    .map((name) => readTierFloor(report, profiles.get(name)))
    .filter((floor) => floor !== null);
  return floors.length === 0 ? null : Math.max(...floors);
};

const checkMode = (report: Report, profiles: Fields): void => {
  const mode = profiles.get('mode');
  if (mode === null) return;
  const text = mode.kind === 'scalar' ? mode.text : '';
  if (text === 'fizz') {
    report.warn(
      mode,
      'mode_not_told_apart',
      'consumer devices are no market of their own here: tiers and prices tell them apart',
    );
  } else if (text !== 'provider') report.fault(mode, 'expected `provider` or `fizz`');
};

const readName = (
  report: Report,
  profiles: Fields,
  options: ManifestOptions,
  services: ReadonlyMap<string, ReadService>,
): string => {
  const written = profiles.text('name', 'a name');
  if (written !== null && (written.trim() === '' || written.length > 120)) {
    report.fault(profiles.get('name')!, 'expected a name of 1 to 120 characters');
  }
  return written ?? options.name ?? services.keys().next().value ?? 'workload';
};

const readDuration = ({ report, dialect }: Context, profiles: Fields, options: ManifestOptions): number => {
  const node = profiles.get('duration');
  const seconds = node?.kind === 'scalar' ? readDurationSeconds(node.text) : null;
  if (node !== null && (seconds === null || seconds < 1n || seconds > LIMITS.durationSeconds)) {
    report.fault(
      node,
      `expected a duration of whole seconds up to five years, like 1h, 1.5h, 30min or 2d (units: ${DURATION_UNITS.join(', ')})`,
    );
    return 1;
  }
  if (options.durationSeconds !== undefined) return options.durationSeconds;
  if (seconds !== null) return Number(seconds);
  const fallback = options.defaultDurationSeconds ?? DEFAULT_DURATION_SECONDS;
  const reason = dialect === 'akash-sdl' ? 'this dialect has no duration' : 'no duration is given';
  report.warn(profiles.node, 'default_duration', `${reason}; ${fallback} seconds are taken`);
  return fallback;
};

/** Gives every service its rate: from the manifest, or its share of the budget that the caller gave. */
const price = (
  report: Report,
  profiles: YamlMapping,
  groups: readonly DraftGroup[],
  { maxRateMicrosPerHour }: ManifestOptions,
): Omit<PlacementGroup, 'tierFloor'>[] => {
  const drafts = groups.flatMap((group) => group.services);
  let rates: readonly bigint[] = drafts.map((service) => service.price ?? 0n);
  if (maxRateMicrosPerHour !== undefined && drafts.length > 0) {
    const unpriced = drafts.some((service) => service.price === null);
    const split = splitBudget(
      maxRateMicrosPerHour,
      drafts.map(({ replicas, price: own }) => ({ replicas, weight: unpriced ? 1n : own! })),
    );
    rates = split.rates;
    if (split.left > 0n) {
      report.warn(
        profiles,
        'budget_not_divisible',
        `${split.left} millionths of a USDC per hour are left over by equal replicas`,
      );
    }
  }
  const next = rates.values();
  return groups.map(({ services, ...group }) => ({
    ...group,
    services: services.map(({ price: _own, ...service }) => ({
      ...service,
      maxRateMicrosPerHour: next.next().value as bigint,
    })),
  }));
};

const collectSecrets = (
  spec: WorkloadSpec,
  services: ReadonlyMap<string, ReadService>,
): WorkloadSecrets | null => {
  const secrets: WorkloadSecrets = { services: {} };
  for (const { name } of spec.groups.flatMap((group) => group.services)) {
    const own = services.get(name)!.secrets;
    if (own.imageCredentials !== null || Object.keys(own.env).length > 0) {
      secrets.services[name] = { env: { ...own.env }, imageCredentials: own.imageCredentials };
    }
  }
  return Object.keys(secrets.services).length === 0 ? null : secrets;
};

const checkOptions = (options: ManifestOptions): void => {
  const faults: { pointer: string; message: string }[] = [];
  const seconds = (name: 'durationSeconds' | 'defaultDurationSeconds'): void => {
    const value = options[name];
    if (value !== undefined && !(Number.isInteger(value) && value >= 1 && value <= LIMITS.durationSeconds)) {
      faults.push({
        pointer: `/${name}`,
        message: `expected whole seconds from 1 to ${LIMITS.durationSeconds}`,
      });
    }
  };
  seconds('durationSeconds');
  seconds('defaultDurationSeconds');
  const rate = options.maxRateMicrosPerHour;
  if (rate !== undefined && (rate < 1n || rate > LIMITS.rateMicrosPerHour)) {
    faults.push({
      pointer: '/maxRateMicrosPerHour',
      message: 'expected from a millionth to a billion USDC per hour',
    });
  }
  const floor = options.tierFloor;
  if (floor !== undefined && !(Number.isInteger(floor) && floor >= 1 && floor <= WORST_OF_ALL)) {
    faults.push({ pointer: '/tierFloor', message: `expected a tier from 1 to ${WORST_OF_ALL}` });
  }
  for (const id of options.regions ?? []) {
    if (findRegion(id) !== null) continue;
    const known = allRegions.map((region) => region.id).join(', ');
    faults.push({ pointer: '/regions', message: `unknown region; known: ${known}` });
  }
  if (options.name !== undefined && (options.name.trim() === '' || options.name.length > 120)) {
    faults.push({ pointer: '/name', message: 'expected a name of 1 to 120 characters' });
  }
  if (faults.length > 0) {
    throw new DomainError('invalid', 'invalid_manifest_options', faults[0]!.message, { faults });
  }
};
