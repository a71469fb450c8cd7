/** Exact quantities: a decimal is kept as an integer of units and the power of ten that divides it. */
export type Decimal = { readonly units: bigint; readonly scale: bigint };

/** Longer numbers are not quantities of anything here. */
const DECIMAL = /^(-?)(\d{1,18})(?:\.(\d{1,18}))?$/;
const NUMBER_AND_UNIT = /^(-?\d{1,18}(?:\.\d{1,18})?) ?([a-zA-Z]*)$/;

/** `1`, `0.25`, `10000`, `1.`-free and exponent-free; null for anything else. */
export const readDecimal = (text: string): Decimal | null => {
  const match = DECIMAL.exec(text.trim());
  if (!match) return null;
  const fraction = match[3] ?? '';
  const units = BigInt(`${match[1]}${match[2]}${fraction}`);
  return { units, scale: 10n ** BigInt(fraction.length) };
};

/** value x factor, rounded up; for negative values towards zero. */
export const timesCeil = ({ units, scale }: Decimal, factor: bigint): bigint => {
  const product = units * factor;
  return product / scale + (product > 0n && product % scale !== 0n ? 1n : 0n);
};

/** value x factor, rounded down; for negative values towards zero. */
export const timesFloor = ({ units, scale }: Decimal, factor: bigint): bigint => (units * factor) / scale;

/** value x factor if that is whole, else null. */
export const timesExactly = ({ units, scale }: Decimal, factor: bigint): bigint | null =>
  (units * factor) % scale === 0n ? (units * factor) / scale : null;

export const multiply = (a: Decimal, b: Decimal): Decimal => ({
  units: a.units * b.units,
  scale: a.scale * b.scale,
});

const splitUnit = (text: string): { number: Decimal; unit: string } | null => {
  const match = NUMBER_AND_UNIT.exec(text.trim());
  const number = match && readDecimal(match[1]!);
  return match && number ? { number, unit: match[2]! } : null;
};

const BYTE_UNITS: ReadonlyMap<string, bigint> = new Map([
  ['', 1n],
  ['k', 1_000n],
  ['Ki', 1_024n],
  ...(['M', 'G', 'T', 'P', 'E'] as const).flatMap(
    (prefix, i) =>
      [
        [prefix, 1_000n ** BigInt(i + 2)],
        [`${prefix}i`, 1_024n ** BigInt(i + 2)],
      ] as [string, bigint][],
  ),
]);

/** Spellings outside both dialects' tables that can mean one thing only: `16GB`, `32gb`, `512mi`, `1GiB`, `5K`. */
const loosely = (unit: string): string | null => {
  const match = /^([kmgtpe])(i?)b?$/i.exec(unit);
  if (!match) return null;
  const prefix = match[2] || match[1]!.toLowerCase() !== 'k' ? match[1]!.toUpperCase() : 'k';
  return `${prefix}${match[2] ? 'i' : ''}`;
};

const BYTES_PER_MIB = 1_048_576n;

export type Size = {
  /** Rounded up, so that nobody gets less than was asked for. May be negative or beyond any limit: check it. */
  readonly mib: bigint;
  /** The unit as the dialects spell it, when the text spelt it otherwise. */
  readonly spelling: string | null;
};

/** `512Mi`, `1.5Gi`, `2Ti`, `16G`, plain bytes; null when it is not a size. */
export const readSize = (text: string): Size | null => {
  const parts = splitUnit(text);
  if (!parts) return null;
  const own = BYTE_UNITS.get(parts.unit);
  const spelling = own === undefined ? loosely(parts.unit) : null;
  const factor = own ?? (spelling === null ? undefined : BYTE_UNITS.get(spelling));
  if (factor === undefined) return null;
  return {
    mib: timesCeil({ units: parts.number.units, scale: parts.number.scale * BYTES_PER_MIB }, factor),
    spelling,
  };
};

/** Thousandths of cores or GPUs: `2`, `0.5`, `500m`. Null when it is no such quantity or finer than a thousandth. */
export const readThousandths = (text: string): bigint | null => {
  const parts = splitUnit(text);
  if (!parts) return null;
  if (parts.unit === 'm') return timesExactly(parts.number, 1n);
  return parts.unit === '' ? timesExactly(parts.number, 1_000n) : null;
};

const SECONDS: Readonly<Record<string, bigint>> = {
  s: 1n,
  sec: 1n,
  m: 60n,
  min: 60n,
  h: 3_600n,
  hr: 3_600n,
  d: 86_400n,
  w: 604_800n,
  /** The Spheron tools count a month as 30 days and a year as 365. */
  mon: 2_592_000n,
  y: 31_536_000n,
};
export const DURATION_UNITS = Object.keys(SECONDS);

/** `1h`, `1.5h`, `30m`, `30min`, `2d`, `1h30m`; seconds, or null when it is not a duration of whole seconds. */
export const readDurationSeconds = (text: string): bigint | null => {
  const compact = text.trim().toLowerCase();
  if (!/^(?:\d{1,9}(?:\.\d{1,9})?[a-z]{1,3}){1,6}$/.test(compact)) return null;
  let total: Decimal = { units: 0n, scale: 1n };
  for (const [, number, unit] of compact.matchAll(/(\d+(?:\.\d+)?)([a-z]+)/g)) {
    const seconds = Object.hasOwn(SECONDS, unit!) ? SECONDS[unit!]! : null;
    const decimal = readDecimal(number!);
    if (seconds === null || decimal === null) return null;
    total = {
      units: total.units * decimal.scale + decimal.units * seconds * total.scale,
      scale: total.scale * decimal.scale,
    };
  }
  return timesExactly(total, 1n);
};
