import type { SealedBox } from '@gridbourse/events';
import { DomainError } from '@gridbourse/kernel';
import { decodeKey, publicKeyOf, sealingKeyId } from './sealing-key.ts';
import { info, kem, suite, SUITE_NAME } from './suite.ts';

const AES_GCM_TAG_BYTES = 16;
/** What fits the ciphertext field of the published language (400,000 base64url characters), less the tag. */
export const MAX_SEALED_BYTES = 300_000 - AES_GCM_TAG_BYTES;

const utf8 = new TextEncoder();

/**
 * Encrypts so that only the holder of the private key can read it. Each call uses a fresh ephemeral key, so equal
 * inputs give unlike boxes. `associatedData` is not hidden and not stored in the box, but opening needs the very same:
 * it ties the box to its place (an order id, a provider id), so that a box cannot be moved to another.
 * @throws DomainError `invalid_sealing_key`, `plaintext_too_large`
 */
export const seal = async (
  publicKey: string,
  plaintext: Uint8Array | string,
  associatedData: string,
): Promise<SealedBox> => {
  const bytes = typeof plaintext === 'string' ? utf8.encode(plaintext) : new Uint8Array(plaintext);
  if (bytes.byteLength > MAX_SEALED_BYTES) {
    throw new DomainError(
      'invalid',
      'plaintext_too_large',
      `${bytes.byteLength} bytes cannot be sealed: at most ${MAX_SEALED_BYTES} fit`,
    );
  }
  const keyId = sealingKeyId(publicKey);
  const sealed = await encrypt(decodeKey(publicKey), bytes, associatedData);
  return {
    keyId,
    suite: SUITE_NAME,
    encapsulatedKey: Buffer.from(sealed.enc).toString('base64url'),
    ciphertext: Buffer.from(sealed.ct).toString('base64url'),
  };
};

const encrypt = async (
  rawPublicKey: Uint8Array<ArrayBuffer>,
  bytes: Uint8Array<ArrayBuffer>,
  associatedData: string,
) => {
  try {
    const recipientPublicKey = await kem.deserializePublicKey(rawPublicKey);
    return await suite.seal({ recipientPublicKey, info }, bytes, utf8.encode(associatedData));
  } catch (error) {
    // The one way here: a point of low order, with which no secret can be agreed.
    throw new DomainError('invalid', 'invalid_sealing_key', 'nothing can be sealed to this public key', {
      cause: error,
    });
  }
};

/**
 * Decrypts what `seal` made.
 * @throws DomainError `sealed_to_another_key` (internal: the box names a key that is not this one),
 *   `sealed_box_damaged` (invalid: the box or the associated data is not what was sealed), `invalid_sealing_key`
 */
export const open = async (
  privateKey: string,
  box: SealedBox,
  associatedData: string,
): Promise<Uint8Array> => {
  const keyId = sealingKeyId(publicKeyOf(privateKey));
  if (box.suite !== SUITE_NAME) throw damaged(`unknown suite ${String(box.suite).slice(0, 60)}`);
  if (box.keyId !== keyId) {
    throw new DomainError(
      'internal',
      'sealed_to_another_key',
      `the box is sealed to key ${box.keyId}, and this is key ${keyId}`,
    );
  }
  try {
    const recipientKey = await kem.deserializePrivateKey(decodeKey(privateKey));
    const enc = new Uint8Array(Buffer.from(box.encapsulatedKey, 'base64url'));
    const ciphertext = new Uint8Array(Buffer.from(box.ciphertext, 'base64url'));
    return new Uint8Array(
      await suite.open({ recipientKey, enc, info }, ciphertext, utf8.encode(associatedData)),
    );
  } catch (error) {
    throw damaged('the box or its associated data is not what was sealed', error);
  }
};

const damaged = (message: string, cause?: unknown): DomainError =>
  new DomainError('invalid', 'sealed_box_damaged', message, { cause });
