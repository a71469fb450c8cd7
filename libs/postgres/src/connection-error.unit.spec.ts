import { describe, expect, it } from '@jest/globals';
import { isConnectionError } from './connection-error.ts';

describe('a connection error', () => {
  const coded = (code: string): Error => Object.assign(new Error('x'), { code });

  it.each([
    ['refused', coded('ECONNREFUSED')],
    ['shut down', coded('57P01')],
    ['wrapped by TypeORM', Object.assign(new Error('QueryFailedError'), { driverError: coded('57P03') })],
    ['as a cause', new Error('outer', { cause: coded('ECONNRESET') })],
    ['one of several addresses', new AggregateError([coded('ECONNREFUSED')])],
    ['without a code', new Error('Connection terminated unexpectedly')],
  ])('is seen: %s', (_, error) => expect(isConnectionError(error)).toBe(true));

  it.each([
    ['a constraint', coded('23505')],
    ['a deadlock', coded('40P01')],
    ['an ordinary error', new Error('no')],
    ['no error', 'ECONNREFUSED'],
  ])('is not seen in %s', (_, error) => expect(isConnectionError(error)).toBe(false));
});
