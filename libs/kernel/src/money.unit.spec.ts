import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DomainError } from './errors.ts';
import { earnedMicros, formatUsdc, lockMicros, parseUsdc } from './money.ts';

const micros = fc.bigInt({ min: 0n, max: 10n ** 18n });

describe('USDC amounts', () => {
  it('reads and writes every amount without loss', () => {
    fc.assert(fc.property(micros, (amount) => expect(parseUsdc(formatUsdc(amount))).toBe(amount)));
  });

  it.each(['-1', '+1', '1e3', '0x10', '1.1234567', '', '.5', 'NaN', '1,5', ' 1'])('refuses %j', (text) => {
    expect(() => parseUsdc(text)).toThrow(DomainError);
  });

  it.each([
    [0n, '0.00'],
    [1n, '0.000001'],
    [1_250_000n, '1.25'],
    [-500_000n, '-0.50'],
    [100_000n, '0.10'],
  ])('writes %s as %s', (amount, text) => expect(formatUsdc(amount)).toBe(text));
});

describe('earnings', () => {
  const rate = fc.bigInt({ min: 0n, max: 10n ** 12n });
  const seconds = fc.bigInt({ min: 0n, max: 10n ** 8n });

  it('never exceed the lock of the same duration, and leave less than one micro of it', () => {
    fc.assert(
      fc.property(rate, seconds, (r, s) => {
        const left = lockMicros(r, s) - earnedMicros(r, s);
        expect(left === 0n || left === 1n).toBe(true);
      }),
    );
  });

  it('grow with time and do not drift when read in steps', () => {
    fc.assert(
      fc.property(rate, seconds, seconds, (r, a, b) => {
        const first = earnedMicros(r, a);
        const second = earnedMicros(r, a + b);
        expect(second >= first).toBe(true);
        expect(first + (second - first)).toBe((r * (a + b)) / 3600n);
      }),
    );
  });
});
