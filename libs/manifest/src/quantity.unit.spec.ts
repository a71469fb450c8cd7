import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { splitBudget } from './budget.ts';
import {
  readThousandths,
  readDecimal,
  readDurationSeconds,
  readSize,
  timesCeil,
  timesExactly,
  timesFloor,
} from './quantity.ts';
import { shellWords } from './shell-words.ts';

describe('sizes', () => {
  it.each([
    ['512Mi', 512n],
    ['1Gi', 1_024n],
    ['1.5Gi', 1_536n],
    ['4.75Gi', 4_864n],
    ['2Ti', 2_097_152n],
    ['1024Ki', 1n],
    ['1048576', 1n],
    ['1', 1n],
    ['512M', 489n],
    ['1G', 954n],
    ['1000k', 1n],
    ['-1Gi', -1_024n],
  ])('%s is %s MiB, rounded up', (text, mib) => expect(readSize(text)).toEqual({ mib, spelling: null }));

  it.each([
    ['16GB', 'G'],
    ['15Gb', 'G'],
    ['32gb', 'G'],
    ['512mi', 'Mi'],
    ['1GiB', 'Gi'],
    ['64K', 'k'],
  ])('%s is understood as the unit %s, and says so', (text, spelling) =>
    expect(readSize(text)?.spelling).toBe(spelling),
  );

  it.each(['', 'Gi', '1 000Mi', '1e3', '0x10', '1Xi', 'NaN', '1..5Gi', '١Gi', '9'.repeat(40)])(
    '%j is no size',
    (text) => expect(readSize(text)).toBeNull(),
  );
});

describe('CPU', () => {
  it.each([
    ['1', 1_000n],
    ['0.5', 500n],
    ['0.1', 100n],
    ['500m', 500n],
    ['128', 128_000n],
    ['1.0', 1_000n],
  ])('%s is %s thousandths of a core', (text, millis) => expect(readThousandths(text)).toBe(millis));

  it.each(['0.0001', '0.5m', '1c', '', '1,5'])('%j is none', (text) =>
    expect(readThousandths(text)).toBeNull(),
  );
});

describe('durations', () => {
  it.each([
    ['1h', 3_600n],
    ['1.5h', 5_400n],
    ['30m', 1_800n],
    ['30min', 1_800n],
    ['2d', 172_800n],
    ['45s', 45n],
    ['1h30m', 5_400n],
    ['1mon', 2_592_000n],
    ['1y', 31_536_000n],
    ['0.25h', 900n],
    ['2H', 7_200n],
  ])('%s is %s seconds, exactly', (text, seconds) => expect(readDurationSeconds(text)).toBe(seconds));

  it.each(['', '1', 'h', '1.5', '-1h', '1x', '0.0001h', '1e3s', '1h 30', '1constructor'])(
    '%j is none',
    (text) => expect(readDurationSeconds(text)).toBeNull(),
  );
});

describe('decimals', () => {
  const amounts = fc.tuple(fc.bigInt({ min: 0n, max: 10n ** 12n }), fc.integer({ min: 0, max: 9 }));

  it('are exact, rounded only where asked, and in the direction asked', () => {
    fc.assert(
      fc.property(amounts, fc.bigInt({ min: 1n, max: 10n ** 9n }), ([units, digits], factor) => {
        const text =
          digits === 0
            ? `${units}`
            : `${units / 10n ** BigInt(digits)}.${(units % 10n ** BigInt(digits)).toString().padStart(digits, '0')}`;
        const decimal = readDecimal(text)!;
        expect(decimal.units * 10n ** BigInt(digits)).toBe(units * decimal.scale);
        const up = timesCeil(decimal, factor);
        const down = timesFloor(decimal, factor);
        expect(up - down === 0n || up - down === 1n).toBe(true);
        expect(timesExactly(decimal, factor)).toBe(up === down ? up : null);
      }),
    );
  });
});

describe('a budget', () => {
  const shares = fc.array(
    fc.record({
      replicas: fc.integer({ min: 1, max: 256 }),
      weight: fc.bigInt({ min: 0n, max: 10n ** 12n }),
    }),
    { minLength: 1, maxLength: 20 },
  );

  it('is never passed, and what is left is less than the smallest number of replicas', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: 10n ** 15n }), shares, (total, split) => {
        const { rates, left } = splitBudget(total, split);
        const given = rates.reduce((sum, rate, i) => sum + rate * BigInt(split[i]!.replicas), 0n);
        expect(given + left).toBe(total);
        expect(left >= 0n).toBe(true);
        expect(left < BigInt(Math.min(...split.map(({ replicas }) => replicas)))).toBe(true);
      }),
    );
  });

  it('goes out in proportion', () => {
    expect(
      splitBudget(1_000_001n, [
        { replicas: 1, weight: 3n },
        { replicas: 2, weight: 1n },
      ]),
    ).toEqual({ rates: [600_001n, 200_000n], left: 0n });
  });
});

describe('a command line in one text', () => {
  it.each([
    ['python app.py --port 80', ['python', 'app.py', '--port', '80']],
    [`bash -c "echo 'a b' && exit"`, ['bash', '-c', "echo 'a b' && exit"]],
    [String.raw`a\ b "c\"d" '' e'f'`, ['a b', 'c"d', '', 'ef']],
    ['', []],
  ])('%s', (line, words) => expect(shellWords(line)).toEqual(words));

  it('with an open quote is none', () => expect(shellWords(`a 'b`)).toBeNull());

  it('of words without special characters is those words', () => {
    const word = fc.stringMatching(/^[\w./:=-]+$/);
    fc.assert(fc.property(fc.array(word), (words) => expect(shellWords(words.join('  '))).toEqual(words)));
  });
});
