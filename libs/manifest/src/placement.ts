import { readRegion, regions as allRegions } from '@gridbourse/catalog';
import { INTERCONNECTS, type PlacementGroup } from '@gridbourse/events';
import { type Context } from './context.ts';
import { asMap, type Extras, Fields, namedEntries, readInteger, readText, readTexts } from './fields.ts';
import { didYouMean, quoted } from './nearest.ts';
import { readPrice } from './price.ts';
import type { PriceTable } from './price-table.ts';
import type { YamlEntry, YamlMapping, YamlNode } from './yaml-tree.ts';

export type Placement = {
  readonly key: YamlEntry['key'];
  readonly regions: readonly string[];
  readonly attributes: Readonly<Record<string, string>>;
  /** Attribute `interconnect`: the slowest network between machines that will do. */
  readonly interconnect: PlacementGroup['interconnect'];
  /** Attribute `max_providers`: among how many providers of one region the replicas may be divided. */
  readonly maxProviders: number;
  /** Micro-USDC per hour and replica, by compute profile. Null: a price is there and is faulty. */
  readonly prices: ReadonlyMap<string, bigint | null>;
};

/** What providers of the Akash network say of themselves there. Nobody outside of it says so. */
const AKASH_FACTS =
  /^(?:host|organization|tier|email|website|status-page|timezone|location-type|hosting-provider|ip-lease|chia-plotting|cuda|console\/.*|hardware-.*|feat-.*|network-.*|capabilities\/.*)$/;
/** Wishes of the Spheron network that name its own nodes, or that it honours for consumer nodes only. */
const SPHERON_FACTS = /^(?:desired_fizz|bandwidth|cpu_model)$/;
const MAX_PROVIDERS = 16;
/** Written in small letters and underscores, as the ICL's own attributes are; other spellings mean the same. */
const MAX_PROVIDERS_FIELD = /^max[_-]?providers$/i;
const REGION_FIELDS = new Set(['region', 'location-region']);
const EXTRAS: Extras = { placement: 'it is empty, and a placement has no such part' };

export const readPlacements = (
  context: Context,
  map: YamlMapping | null,
  usdPerToken: PriceTable,
): Map<string, Placement> => {
  const placements = new Map<string, Placement>();
  for (const { key, value } of namedEntries(map)) {
    const node = asMap(context.report, value, 'a map with `pricing`');
    if (node !== null) placements.set(key.text, readPlacement(context, key, node, usdPerToken));
  }
  return placements;
};

const readPlacement = (
  context: Context,
  key: YamlEntry['key'],
  node: YamlMapping,
  usdPerToken: PriceTable,
): Placement => {
  const { report } = context;
  const empty = node.entries.get('placement')?.value.kind === 'null';
  const fields = new Fields(report, node, ['attributes', 'signedBy', 'pricing'], empty ? EXTRAS : {});
  const signedBy = fields.map('signedBy', 'a map with `anyOf` or `allOf`');
  if (signedBy !== null) {
    const signers = new Fields(report, signedBy, ['anyOf', 'allOf']);
    readTexts(report, signers.get('anyOf'), 'a list of accounts');
    readTexts(report, signers.get('allOf'), 'a list of accounts');
    report.warn(
      signedBy,
      'ignored_signed_by',
      'these auditors sign for providers of another network; here tiers do that',
    );
  }
  const prices = new Map<string, bigint | null>();
  for (const entry of namedEntries(fields.map('pricing', 'a map of prices by compute profile'))) {
    prices.set(entry.key.text, readPrice(context, entry.value, usdPerToken));
  }
  return { key, prices, ...readAttributes(context, fields.map('attributes', 'a map of attributes')) };
};

const readAttributes = (
  context: Context,
  map: YamlMapping | null,
): Pick<Placement, 'regions' | 'attributes' | 'interconnect' | 'maxProviders'> => {
  const { report } = context;
  const regions: string[] = [];
  const attributes: Record<string, string> = {};
  let interconnect: Placement['interconnect'] = null;
  let maxProviders = 1;
  for (const entry of namedEntries(map)) {
    if (entry.value.kind === 'null') continue;
    const name = entry.key.text;
    const text = readText(report, entry.value, 'text');
    if (text === null) continue;
    if (REGION_FIELDS.has(name)) addRegion(context, entry, text, regions, attributes);
    else if (name === 'exclude_region') excludeRegion(context, entry, text, regions);
    else if (name === 'interconnect') interconnect = readInterconnect(context, entry.value, text);
    else if (MAX_PROVIDERS_FIELD.test(name)) maxProviders = readMaxProviders(context, entry.value);
    else if (name === 'country') attributes['country'] = text.toUpperCase();
    else if (isForeign(context, name)) {
      report.warn(
        entry.key,
        'ignored_attribute',
        `${quoted(name)} is a fact of another network's providers; it is not asked of providers here`,
      );
    } else attributes[name.slice(0, 120)] = text;
  }
  return { regions, attributes, interconnect, maxProviders };
};

const readInterconnect = ({ report }: Context, node: YamlNode, text: string): Placement['interconnect'] => {
  const known = INTERCONNECTS.find((each) => each === text.trim().toLowerCase());
  if (known !== undefined) return known;
  report.fault(
    node,
    `unknown interconnect ${quoted(text)}${didYouMean(text, INTERCONNECTS)}; known: ${INTERCONNECTS.join(', ')}`,
  );
  return null;
};

const readMaxProviders = ({ report }: Context, node: YamlNode): number =>
  readInteger(report, node, { min: 1, max: MAX_PROVIDERS, what: 'a number of providers' }) ?? 1;

const isForeign = ({ dialect }: Context, name: string): boolean =>
  dialect === 'akash-sdl' ? AKASH_FACTS.test(name) : SPHERON_FACTS.test(name);

const addRegion = (
  { report }: Context,
  entry: YamlEntry,
  text: string,
  regions: string[],
  attributes: Record<string, string>,
): void => {
  const named = readRegion(text);
  if (named === null) {
    const ids = allRegions.map((region) => region.id);
    report.fault(
      entry.value,
      `unknown region ${quoted(text)}${didYouMean(text, ids)}; known: ${ids.join(', ')}, and countries`,
    );
    return;
  }
  regions.push(...named.regions);
  if (named.country !== null) attributes['country'] = named.country;
};

const excludeRegion = ({ report }: Context, entry: YamlEntry, text: string, regions: string[]): void => {
  const named = readRegion(text);
  if (named === null) {
    report.fault(entry.value, `unknown region ${quoted(text)}`);
    return;
  }
  if (named.country !== null) {
    report.warn(
      entry.value,
      'wider_exclusion',
      `the whole region ${named.regions.join(', ')} is excluded, not the country alone`,
    );
  }
  const candidates = regions.length > 0 ? regions.splice(0) : allRegions.map((region) => region.id);
  regions.push(...candidates.filter((id) => !(named.regions as readonly string[]).includes(id)));
};
