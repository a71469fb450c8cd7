import type { Random } from './random.ts';
import type { Instant } from './time.ts';

/** Every id says what it names and sorts by the time it was made. */
export const ID_PREFIXES = {
  account: 'acc',
  apiKey: 'key',
  provider: 'prv',
  offer: 'off',
  order: 'ord',
  bid: 'bid',
  lease: 'lea',
  workload: 'wkl',
  settlement: 'set',
  transfer: 'trf',
  break: 'brk',
  event: 'evt',
  request: 'req',
  transaction: 'txn',
} as const;

export type IdKind = keyof typeof ID_PREFIXES;
export type Id<K extends IdKind> = `${(typeof ID_PREFIXES)[K]}_${string}`;

export type AccountId = Id<'account'>;
export type ApiKeyId = Id<'apiKey'>;
export type ProviderId = Id<'provider'>;
export type OfferId = Id<'offer'>;
export type OrderId = Id<'order'>;
export type BidId = Id<'bid'>;
export type LeaseId = Id<'lease'>;
export type SettlementId = Id<'settlement'>;
export type TransferId = Id<'transfer'>;
export type BreakId = Id<'break'>;
export type RequestId = Id<'request'>;
export type TransactionId = Id<'transaction'>;

/** Crockford's alphabet: no I, L, O, U; lower case, so that an id is also a valid DNS label. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const TIME_CHARS = 10;
const RANDOM_CHARS = 16;

const CODES = Array.from(ALPHABET, (char) => char.charCodeAt(0));

/** Of the id that is being made. Characters that are put together one by one would be a rope of as many strings. */
const codes = Array<number>(RANDOM_CHARS).fill(0);

const encodeTime = (instant: Instant): string => {
  let rest = instant;
  let text = '';
  for (let i = 0; i < TIME_CHARS; i += 1) {
    text = ALPHABET[rest % 32]! + text;
    rest = Math.floor(rest / 32);
  }
  return text;
};

let lastTime = { instant: Number.NaN, text: '' };

/** Many ids are made in one millisecond. */
const timeText = (instant: Instant): string => {
  if (instant !== lastTime.instant) lastTime = { instant, text: encodeTime(instant) };
  return lastTime.text;
};

/** A ULID behind a prefix, `ord_01k…`: 48 bits of time, 80 bits of chance. Names things; guards nothing. */
export const newId = <K extends IdKind>(kind: K, now: Instant, random: Random): Id<K> => {
  for (let i = 0; i < RANDOM_CHARS; i += 1) codes[i] = CODES[Math.floor(random.next() * 32)]!;
  return `${ID_PREFIXES[kind]}_${timeText(now)}${String.fromCharCode(...codes)}`;
};

/**
 * The id that this seed always gives (for effects that must happen once): the first 130 bits of a digest that the
 * caller computed, as hexadecimal text of at least 33 characters.
 */
export const idFromDigest = <K extends IdKind>(kind: K, hexDigest: string): Id<K> => {
  let bits = BigInt(`0x${hexDigest.slice(0, 33)}`);
  let text = '';
  for (let i = 0; i < TIME_CHARS + RANDOM_CHARS; i += 1) {
    text = ALPHABET[Number(bits & 31n)]! + text;
    bits >>= 5n;
  }
  return `${ID_PREFIXES[kind]}_${text}`;
};

export const idPattern = (kind: IdKind): RegExp =>
  new RegExp(`^${ID_PREFIXES[kind]}_[${ALPHABET}]{${TIME_CHARS + RANDOM_CHARS}}$`);

export const isId = <K extends IdKind>(kind: K, text: string): text is Id<K> => idPattern(kind).test(text);
