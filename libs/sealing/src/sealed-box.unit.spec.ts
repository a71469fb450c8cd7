import { describe, expect, it } from '@jest/globals';
import { fields } from '@gridbourse/events';
import { DomainError } from '@gridbourse/kernel';
import fc from 'fast-check';
import { generateSealingKey, MAX_SEALED_BYTES, open, seal, sealingKeyId } from './index.ts';

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const failure = async (attempt: Promise<unknown>): Promise<DomainError> => {
  const outcome = await attempt.then(
    () => new Error('it should have failed'),
    (error: unknown) => error,
  );
  expect(outcome).toBeInstanceOf(DomainError);
  return outcome as DomainError;
};

describe('a sealed box', () => {
  it('is read by the holder of the key, whatever is in it', async () => {
    const key = await generateSealingKey();
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 2_000 }),
        fc.string(),
        async (plaintext, associatedData) => {
          const box = await seal(key.publicKey, plaintext, associatedData);
          expect(fields.sealedBox.parse(JSON.parse(JSON.stringify(box)))).toEqual(box);
          expect(await open(key.privateKey, box, associatedData)).toEqual(plaintext);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('takes text as UTF-8, and names its reader', async () => {
    const key = await generateSealingKey();
    const box = await seal(key.publicKey, 'HF_TOKEN=schlüssel', 'ord_1');
    expect(box.keyId).toBe(key.keyId);
    expect(box.keyId).toBe(sealingKeyId(key.publicKey));
    expect(text(await open(key.privateKey, box, 'ord_1'))).toBe('HF_TOKEN=schlüssel');
  });

  it('shows nothing of what is inside, and differs each time', async () => {
    const key = await generateSealingKey();
    const [first, second] = await Promise.all([
      seal(key.publicKey, 'planted', ''),
      seal(key.publicKey, 'planted', ''),
    ]);
    expect(first.ciphertext).not.toBe(second.ciphertext);
    expect(first.encapsulatedKey).not.toBe(second.encapsulatedKey);
    expect(Buffer.from(first.ciphertext, 'base64url').toString('latin1')).not.toContain('planted');
  });

  it('is refused by another key, by name', async () => {
    const [ours, theirs] = await Promise.all([generateSealingKey(), generateSealingKey()]);
    const box = await seal(ours.publicKey, 'secret', '');
    const error = await failure(open(theirs.privateKey, box, ''));
    expect([error.kind, error.code]).toEqual(['internal', 'sealed_to_another_key']);
    // Even a box that lies about its reader gives nothing.
    expect((await failure(open(theirs.privateKey, { ...box, keyId: theirs.keyId }, ''))).code).toBe(
      'sealed_box_damaged',
    );
  });

  it('cannot be changed in a single bit', async () => {
    const key = await generateSealingKey();
    const box = await seal(key.publicKey, 'a secret of some length', 'ord_1');
    const flip = (base64url: string, bit: number): string => {
      const bytes = Buffer.from(base64url, 'base64url');
      const at = bit % (bytes.length * 8);
      bytes[at >> 3]! ^= 1 << (at & 7);
      return bytes.toString('base64url');
    };
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.constantFrom('ciphertext', 'encapsulatedKey'), async (bit, part) => {
        // X25519 ignores the top bit of a public value, but the key schedule hashes it.
        const changed = { ...box, [part]: flip(box[part as 'ciphertext'], bit) };
        expect((await failure(open(key.privateKey, changed, 'ord_1'))).code).toBe('sealed_box_damaged');
      }),
      { numRuns: 60 },
    );
  });

  it('cannot be moved to another place', async () => {
    const key = await generateSealingKey();
    const box = await seal(key.publicKey, 'secret', 'ord_1');
    expect((await failure(open(key.privateKey, box, 'ord_2'))).code).toBe('sealed_box_damaged');
  });

  it.each([
    ['truncated ciphertext', { ciphertext: 'AAAA' }],
    ['empty ciphertext', { ciphertext: '' }],
    ['short encapsulated key', { encapsulatedKey: 'AAAA' }],
    ['encapsulated key of low order', { encapsulatedKey: Buffer.alloc(32).toString('base64url') }],
    ['a suite of the future', { suite: 'hpke-mlkem' as never }],
  ])('with %s is refused', async (_what, change) => {
    const key = await generateSealingKey();
    const box = { ...(await seal(key.publicKey, 'secret', '')), ...change };
    expect((await failure(open(key.privateKey, box, ''))).code).toBe('sealed_box_damaged');
  });

  it('takes as much as the published language carries, and no more', async () => {
    const key = await generateSealingKey();
    const box = await seal(key.publicKey, new Uint8Array(MAX_SEALED_BYTES), '');
    expect(fields.sealedBox.safeParse(box).success).toBe(true);
    const error = await failure(seal(key.publicKey, new Uint8Array(MAX_SEALED_BYTES + 1), ''));
    expect([error.kind, error.code]).toEqual(['invalid', 'plaintext_too_large']);
  });

  it.each(['', 'short', '!'.repeat(43), Buffer.alloc(33).toString('base64url')])(
    'needs a key that is one: %j',
    async (key) => {
      expect((await failure(seal(key, 'x', ''))).code).toBe('invalid_sealing_key');
    },
  );

  it('cannot be sealed to a point of low order', async () => {
    const error = await failure(seal(Buffer.alloc(32).toString('base64url'), 'x', ''));
    expect(error.code).toBe('invalid_sealing_key');
  });
});
