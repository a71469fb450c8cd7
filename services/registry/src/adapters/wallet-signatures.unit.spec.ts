import { describe, expect, it } from '@jest/globals';
import { verifyMessage, Wallet } from 'ethers';
import fc from 'fast-check';
import { signedByWallet } from './wallet-signatures.ts';

const byEthers = (wallet: string, text: string, signature: string): boolean => {
  try {
    return verifyMessage(text, signature).toLowerCase() === wallet;
  } catch {
    return false;
  }
};

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const hex = (value: bigint): string => value.toString(16).padStart(64, '0');

/** The other signature of the same text by the same key, which anybody can make. */
const mirrored = (signature: string): string => {
  const s = BigInt(`0x${signature.slice(66, 130)}`);
  return `${signature.slice(0, 66)}${hex(ORDER - s)}${signature.endsWith('1b') ? '1c' : '1b'}`;
};

const compact = (signature: string): string => {
  const s = BigInt(`0x${signature.slice(66, 130)}`) | (signature.endsWith('1c') ? 1n << 255n : 0n);
  return `${signature.slice(0, 66)}${hex(s)}`;
};

const keys = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => {
  bytes[0]! &= 0x7f;
  bytes[31]! |= 1;
  return new Wallet(`0x${Buffer.from(bytes).toString('hex')}`);
});

describe('the signature of a wallet', () => {
  it('is taken and refused as ethers does: right ones, spoiled ones, of another text, of another wallet', () => {
    const spoil = fc.oneof(
      fc.constantFrom(
        (signature: string) => signature,
        compact,
        mirrored,
        (signature: string) => signature.slice(0, -2),
        (signature: string) => `${signature}00`,
        (signature: string) => `${signature.slice(0, -2)}00`,
        (signature: string) => `${signature.slice(0, -2)}01`,
        (signature: string) => `0x${'0'.repeat(130)}`.slice(0, signature.length),
        (signature: string) => `0x${hex(ORDER)}${signature.slice(66)}`,
      ),
      fc.tuple(fc.integer({ min: 2, max: 131 }), fc.constantFrom(...'0123456789abcdefg')).map(
        ([at, digit]) =>
          (signature: string) =>
            signature.slice(0, at) + digit + signature.slice(at + 1),
      ),
      fc.string().map((text) => () => text),
    );
    let taken = 0;
    fc.assert(
      fc.property(keys, fc.string({ unit: 'binary' }), spoil, fc.boolean(), (wallet, text, change, other) => {
        const signature = change(wallet.signMessageSync(text));
        const address = wallet.address.toLowerCase();
        const asked = other ? `${text}.` : text;
        const answer = signedByWallet(address, asked, signature);
        expect(answer).toBe(byEthers(address, asked, signature));
        if (answer) taken += 1;
      }),
      { numRuns: 300 },
    );
    expect(taken).toBeGreaterThan(10);
  });

  it('is that of the wallet that is asked about', () => {
    const [mine, yours] = [Wallet.createRandom(), Wallet.createRandom()];
    const signature = mine.signMessageSync('text');
    expect(signedByWallet(mine.address.toLowerCase(), 'text', signature)).toBe(true);
    expect(signedByWallet(yours.address.toLowerCase(), 'text', signature)).toBe(false);
    expect(signedByWallet(mine.address.toLowerCase(), 'text', compact(signature))).toBe(true);
    expect(signedByWallet(mine.address.toLowerCase(), 'text', mirrored(signature))).toBe(false);
  });
});
