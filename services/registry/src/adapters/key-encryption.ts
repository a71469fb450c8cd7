import { DomainError } from '@gridbourse/kernel';
import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from 'node:crypto';
import { z } from 'zod';

/** How a private key lies in the database. */
export const storedKey = z.discriminatedUnion('form', [
  z.object({ form: z.literal('plain'), jwk: z.record(z.string(), z.unknown()) }),
  z.object({
    form: z.literal('scrypt-aes-256-gcm'),
    salt: z.string(),
    iv: z.string(),
    tag: z.string(),
    ciphertext: z.string(),
  }),
]);
export type StoredKey = z.output<typeof storedKey>;

const keyOf = (secret: string, salt: Buffer): Buffer => scryptSync(secret, salt, 32);

/** Encrypts a private JWK with a secret from the configuration; without one it stays plain. */
export const encryptKey = (jwk: Record<string, unknown>, secret: string | undefined): StoredKey => {
  if (secret === undefined) return { form: 'plain', jwk };
  const salt = randomBytes(16);
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', keyOf(secret, salt), iv);
  const ciphertext = Buffer.concat([cipher.update(JSON.stringify(jwk), 'utf8'), cipher.final()]);
  return {
    form: 'scrypt-aes-256-gcm',
    salt: salt.toString('base64url'),
    iv: iv.toString('base64url'),
    tag: cipher.getAuthTag().toString('base64url'),
    ciphertext: ciphertext.toString('base64url'),
  };
};

/** @throws DomainError `signing_key_locked` when the secret is missing or is not the one it was encrypted with. */
export const decryptKey = (stored: StoredKey, secret: string | undefined): Record<string, unknown> => {
  if (stored.form === 'plain') return stored.jwk;
  try {
    const bytes = (text: string): Buffer => Buffer.from(text, 'base64url');
    const key = keyOf(secret ?? '', bytes(stored.salt));
    const decipher = createDecipheriv('aes-256-gcm', key, bytes(stored.iv));
    decipher.setAuthTag(bytes(stored.tag));
    const text = Buffer.concat([decipher.update(bytes(stored.ciphertext)), decipher.final()]).toString(
      'utf8',
    );
    return JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    throw new DomainError(
      'internal',
      'signing_key_locked',
      'the signing key in the database was encrypted with another signingKeySecret than the one configured now',
      { cause: error },
    );
  }
};
