import { type Id, type IdKind, idPattern } from '@gridbourse/kernel';
import { z } from 'zod';

/** Schemas of single fields. Money is a bigint in code and a decimal string in JSON. */
export const id = <K extends IdKind>(kind: K): z.ZodType<Id<K>, Id<K>> =>
  z
    .string({ error: `expected an id like ${kind}'s` })
    .regex(idPattern(kind), { error: `expected an id like ${kind}'s` })
    .describe(`The id of ${article(kind)} ${kind.replace('apiKey', 'API key')}.`) as unknown as z.ZodType<
    Id<K>,
    Id<K>
  >;

const article = (noun: string): string => (/^[aeiou]/.test(noun) ? 'an' : 'a');

export const micros = z
  .codec(z.string().regex(/^-?\d{1,20}$/), z.bigint(), {
    decode: (text) => BigInt(text),
    encode: (amount) => amount.toString(),
  })
  .describe('Micro-USDC (millionths of a USDC), a decimal integer.');

export const instant = z.int().min(0).describe('Milliseconds since 1970-01-01T00:00:00Z.');
export const seconds = z.int().min(0).describe('Whole seconds.');
export const count = z.int().min(0);
export const name = z.string().min(1).max(120);
/** Lower case hex with 0x; addresses are compared in this form, never in checksum form. */
export const address = z
  .string()
  .regex(/^0x[0-9a-f]{40}$/)
  .describe('An address on chain, lower case.');
export const hash = z
  .string()
  .regex(/^0x[0-9a-f]{64}$/)
  .describe('32 bytes, lower case hexadecimal.');

export const geoPoint = z.object({
  latitude: z.number().min(-90).max(90).describe('Degrees, north is positive.'),
  longitude: z.number().min(-180).max(180).describe('Degrees, east is positive.'),
});

export const place = z.object({
  region: z
    .string()
    .min(1)
    .max(40)
    .describe("The market's region id, for example `us-east`, `eu-west`, `ap-northeast`."),
  country: z.string().max(2).describe('ISO 3166-1 alpha-2, upper case; empty when unknown.'),
  city: z.string().max(80),
  location: geoPoint,
});

export const sealedBox = z
  .object({
    keyId: z.string().min(1).max(80),
    suite: z.literal('hpke-x25519-sha256-aes256gcm'),
    encapsulatedKey: z.string().max(200).describe('Base64url.'),
    ciphertext: z.string().max(400_000).describe('Base64url.'),
  })
  .describe('HPKE (RFC 9180) output: only the holder of the key named by `keyId` can read it.');

export type GeoPointDto = z.output<typeof geoPoint>;
export type Place = z.output<typeof place>;
export type SealedBox = z.output<typeof sealedBox>;
