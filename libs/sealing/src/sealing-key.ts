import { createHash, createPrivateKey, createPublicKey } from 'node:crypto';
import { DomainError } from '@gridbourse/kernel';
import { kem } from './suite.ts';

/**
 * An X25519 key pair as plain strings, so that it can be kept in JSON. Both halves are the raw 32 bytes in base64url.
 * `keyId` is computed from the public half, so a box can name its reader without a registry of names.
 */
export type SealingKey = {
  readonly keyId: string;
  readonly publicKey: string;
  readonly privateKey: string;
};

const RAW_KEY_BYTES = 32;
/** Everything of a PKCS #8 X25519 key (RFC 8410) that comes before its 32 raw bytes. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex');
const BASE64URL = /^[A-Za-z0-9_-]+$/;

/** A fresh key pair from the system's secure random source. */
export const generateSealingKey = async (): Promise<SealingKey> => {
  const pair = await kem.generateKeyPair();
  const publicKey = Buffer.from(await kem.serializePublicKey(pair.publicKey)).toString('base64url');
  const privateKey = Buffer.from(await kem.serializePrivateKey(pair.privateKey)).toString('base64url');
  return { keyId: sealingKeyId(publicKey), publicKey, privateKey };
};

/** The name of a public key: `x25519-` and the first 128 bits of its SHA-256, hexadecimal. */
export const sealingKeyId = (publicKey: string): string => {
  const digest = createHash('sha256').update(decodeKey(publicKey)).digest('hex');
  return `x25519-${digest.slice(0, 32)}`;
};

/** @throws DomainError `invalid_sealing_key` for anything that is not 32 bytes in base64url. Never repeats the key. */
export const decodeKey = (text: string): Uint8Array<ArrayBuffer> => {
  const bytes = BASE64URL.test(text) ? Buffer.from(text, 'base64url') : Buffer.alloc(0);
  if (bytes.byteLength !== RAW_KEY_BYTES) {
    throw new DomainError(
      'invalid',
      'invalid_sealing_key',
      `a sealing key is ${RAW_KEY_BYTES} bytes in base64url`,
    );
  }
  return new Uint8Array(bytes);
};

/** The public half that belongs to a private one. */
export const publicKeyOf = (privateKey: string): string => {
  const der = Buffer.concat([PKCS8_PREFIX, decodeKey(privateKey)]);
  const jwk = createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })).export({
    format: 'jwk',
  });
  return jwk.x as string;
};
