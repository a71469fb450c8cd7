import { distanceKm, type GeoPoint } from '@gridbourse/kernel';
import {
  CA_PROVINCES,
  COUNTRIES,
  COUNTRY_ALIASES,
  OTHER_AREAS,
  type PlaceRow,
  US_STATES,
} from './places.data.ts';
import { REGION_ALIASES, REGION_ROWS } from './regions.data.ts';

export type RegionId = (typeof REGION_ROWS)[number][0];

export type Region = {
  readonly id: RegionId;
  readonly name: string;
  /** Its largest data-centre hub. */
  readonly location: GeoPoint;
  /** ISO 3166-1 alpha-2. */
  readonly countries: readonly string[];
};

/** A place with everything that is known of it filled in. Same shape as the published language's `place`. */
export type KnownPlace = {
  readonly region: RegionId;
  readonly country: string;
  /** City, state or province; empty when only the country is known. */
  readonly city: string;
  readonly location: GeoPoint;
};

export const regions: readonly Region[] = REGION_ROWS.map(([id, name, latitude, longitude, countries]) => ({
  id,
  name,
  location: { latitude, longitude },
  countries: countries.split(' '),
}));

const regionById = new Map<string, Region>(regions.map((region) => [region.id, region]));
export const findRegion = (id: string): Region | null => regionById.get(id) ?? null;

/** West of the first meridian is the west, west of the second the centre, else the east. */
const US_WEST_OF = -105;
const US_CENTRAL_OF = -86.5;
const CA_WEST_OF = -95;

const regionOfCountry = new Map<string, RegionId>();
for (const region of regions) for (const country of region.countries) regionOfCountry.set(country, region.id);

const slug = (text: string): string =>
  text
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');

const areas = new Map<string, PlaceRow>();
const addAreas = (country: string, rows: readonly PlaceRow[]): void => {
  for (const row of rows) areas.set(`${country}/${slug(row[0])}`, row);
};
addAreas('US', US_STATES);
addAreas('CA', CA_PROVINCES);
for (const [country, rows] of Object.entries(OTHER_AREAS)) addAreas(country, rows);

const countryByCode = new Map(COUNTRIES.map((row) => [row[0], row]));
const countryByName = new Map<string, string>([
  ...COUNTRIES.map(([code, name]) => [slug(name), code] as const),
  ...Object.entries(COUNTRY_ALIASES),
]);

/** ISO code of a country given by code or English name, or null. */
export const findCountry = (text: string): string | null => {
  const code = text.trim().toUpperCase();
  return countryByCode.has(code) ? code : (countryByName.get(slug(text)) ?? null);
};

const pointOf = ([, latitude, longitude]: PlaceRow): GeoPoint => ({ latitude, longitude });

/**
 * The market region of a place: by country, and within the United States and Canada by longitude (of the location, or
 * of the city, state or province). With an unknown country, the region whose hub is nearest to the location. Null when
 * nothing that is given can be placed.
 */
export const regionOf = (place: {
  readonly country?: string;
  readonly city?: string;
  readonly location?: GeoPoint;
}): RegionId | null => {
  const country = place.country ? findCountry(place.country) : null;
  if (country === 'US' || country === 'CA') {
    const area = place.city ? areas.get(`${country}/${slug(place.city)}`) : undefined;
    const point =
      place.location ?? (area ? pointOf(area) : pointOf(countryByCode.get(country)!.slice(1) as never));
    if (country === 'CA') return point.longitude < CA_WEST_OF ? 'ca-west' : 'ca-east';
    return point.longitude < US_WEST_OF
      ? 'us-west'
      : point.longitude < US_CENTRAL_OF
        ? 'us-central'
        : 'us-east';
  }
  const byCountry = country === null ? undefined : regionOfCountry.get(country);
  if (byCountry !== undefined) return byCountry;
  return place.location ? nearestRegion(place.location) : null;
};

const nearestRegion = (location: GeoPoint): RegionId => {
  let best = regions[0]!;
  for (const region of regions) {
    if (distanceKm(region.location, location) < distanceKm(best.location, location)) best = region;
  }
  return best.id;
};

/**
 * Reads a place as marketplaces write it: `Texas, US, NA`, `France, FR, EU`, `, US, NA` (the area is not told). Null when
 * the country is not known.
 */
export const readPlace = (text: string): KnownPlace | null => {
  const parts = text.split(',').map((part) => part.trim());
  const [areaText = '', countryText = ''] = parts.length >= 2 ? parts : ['', parts[0]];
  const country = findCountry(countryText);
  const row = country === null ? undefined : countryByCode.get(country);
  if (country === null || row === undefined) return null;
  const area = areas.get(`${country}/${slug(areaText)}`);
  const location = area ? pointOf(area) : { latitude: row[2], longitude: row[3] };
  const region = regionOf({ country, location });
  return region === null ? null : { region, country, city: area ? area[0] : '', location };
};

/** What a region named in a manifest stands for. */
export type NamedRegion = {
  readonly regions: readonly RegionId[];
  /** Set when a country was named, which is narrower than its region. */
  readonly country: string | null;
};

/**
 * Reads a region name of ours, of another network (`na-us-west`, `westcoast`, `eu`), of a cloud (`us-east-1`), or a country
 * (`germany`, `DE`). Null when it is none of these.
 */
export const readRegion = (text: string): NamedRegion | null => {
  const name = slug(text);
  const candidates = [
    name,
    name.replace(/^(?:na|eu|as|oc|sa)-(?=(?:us|ca)-)/, ''),
    name.replace(/-?\d+[a-z]?$/, ''),
  ];
  for (const candidate of candidates) {
    const own = regionById.get(candidate);
    if (own) return { regions: [own.id], country: null };
    const alias = REGION_ALIASES[candidate];
    if (alias !== undefined && Object.hasOwn(REGION_ALIASES, candidate)) {
      return { regions: alias.split(' ') as RegionId[], country: null };
    }
  }
  const country = findCountry(text);
  if (country === null) return null;
  const inCountry = regions.filter((region) => region.countries.includes(country)).map((region) => region.id);
  return inCountry.length === 0 ? null : { regions: inCountry, country };
};
