import { type Id, type IdKind, idPattern } from '@gridbourse/kernel';
import { z } from 'zod';

/** Schemas of single fields. Money is a bigint in code and a decimal string in JSON. */
export const id = <K extends IdKind>(kind: K) =>
  z.custom<Id<K>>((value) => typeof value === 'string' && idPattern(kind).test(value), {
    error: `expected an id like ${kind}'s`,
  });

export const micros = z.codec(z.string().regex(/^-?\d{1,20}$/), z.bigint(), {
  decode: (text) => BigInt(text),
  encode: (amount) => amount.toString(),
});

export const instant = z.int().min(0);
export const seconds = z.int().min(0);
export const count = z.int().min(0);
export const name = z.string().min(1).max(120);
/** Lower case hex with 0x; addresses are compared in this form, never in checksum form. */
export const address = z.string().regex(/^0x[0-9a-f]{40}$/);
export const hash = z.string().regex(/^0x[0-9a-f]{64}$/);

export const geoPoint = z.object({
  latitude: z.number().min(-90).max(90),
  longitude: z.number().min(-180).max(180),
});

export const place = z.object({
  /** The market's region id, for example `us-east`, `eu-west`, `ap-northeast`. */
  region: z.string().min(1).max(40),
  /** ISO 3166-1 alpha-2, upper case; empty when unknown. */
  country: z.string().max(2),
  city: z.string().max(80),
  location: geoPoint,
});

/** HPKE (RFC 9180) output: only the holder of the key named by `keyId` can read it. Base64url parts. */
export const sealedBox = z.object({
  keyId: z.string().min(1).max(80),
  suite: z.literal('hpke-x25519-sha256-aes256gcm'),
  encapsulatedKey: z.string().max(200),
  ciphertext: z.string().max(400_000),
});

export type GeoPointDto = z.output<typeof geoPoint>;
export type Place = z.output<typeof place>;
export type SealedBox = z.output<typeof sealedBox>;
