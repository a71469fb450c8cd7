import { describe, expect, it } from '@jest/globals';
import { DomainError } from '@gridbourse/kernel';
import { ApiError, UnreachableError } from '@gridbourse/sdk';
import { parsePositiveUsdc, wholeNumber } from './arguments.ts';
import { parseDuration } from './commands/order-options.ts';
import { exitCodeOf } from './exit-codes.ts';

describe('arguments', () => {
  it('take whole numbers within their bounds, and nothing else', () => {
    const tier = wholeNumber(1, 7);
    expect([tier('1'), tier('7')]).toEqual([1, 7]);
    for (const text of ['0', '8', '-1', '1.5', '', 'abc', '1e3', '0x1', '9999999999999'])
      expect(() => tier(text)).toThrow('a whole number from 1 to 7');
  });

  it('take amounts of more than nothing', () => {
    expect(parsePositiveUsdc('0.000001')).toBe(1n);
    for (const text of ['0', '0.00', '-1', 'abc', '0.0000001'])
      expect(() => parsePositiveUsdc(text)).toThrow(DomainError);
  });

  it('take durations with a unit', () => {
    expect(['90s', '30m', '2h', '1d'].map(parseDuration)).toEqual([90, 1_800, 7_200, 86_400]);
    for (const text of ['0s', '90', '1.5h', '-1m', 'h'])
      expect(() => parseDuration(text)).toThrow('duration');
  });
});

describe('exit codes', () => {
  it.each<[string, Error, number]>([
    ['no answer', new UnreachableError('http://x', null), 6],
    ['401', new ApiError(401, {}), 3],
    ['403', new ApiError(403, {}), 3],
    ['404', new ApiError(404, {}), 4],
    ['409', new ApiError(409, {}), 5],
    ['429', new ApiError(429, {}), 5],
    ['422', new ApiError(422, {}), 2],
    ['413', new ApiError(413, {}), 2],
    ['503', new ApiError(503, {}), 6],
    ['missing credentials', new DomainError('unauthenticated', 'not_signed_in', ''), 3],
    ['wrong input', new DomainError('invalid', 'unreadable_file', ''), 2],
    ['a refusal of the contract', new DomainError('conflict', 'transaction_refused', ''), 5],
    ['a silent chain', new DomainError('unavailable', 'chain_unreachable', ''), 6],
    ['a fault of ours', new Error('bug'), 1],
  ])('tell %s', (_, error, code) => expect(exitCodeOf(error)).toBe(code));
});
