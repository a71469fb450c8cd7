import { testDatabase, type TestDatabase } from '@gridbourse/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DataSource } from 'typeorm';
import { bigintArray, booleanArray, intArray, textArray } from './binary-arrays.ts';

// Real here: Postgres, and the driver.

let database: TestDatabase;
let dataSource: DataSource;
beforeAll(async () => {
  database = await testDatabase('arrays');
  dataSource = await new DataSource({ type: 'postgres', url: database.url }).initialize();
});
afterAll(async () => {
  await dataSource?.destroy();
  await database?.drop();
});

const asReceived = async (type: string, parameter: Buffer): Promise<(string | null)[]> => {
  const rows = await dataSource.query<{ value: string | null }[]>(
    `SELECT value::text FROM unnest($1::${type}[]) WITH ORDINALITY AS e (value, place) ORDER BY place`,
    [parameter],
  );
  return rows.map(({ value }) => value);
};

describe('arrays as parameters', () => {
  it('bring every text to Postgres as it is', async () => {
    const text = fc.string({ unit: 'grapheme' }).map((word) => word.replaceAll('\0', ''));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.option(text)), async (values) => {
        expect(await asReceived('text', textArray(values))).toEqual(values);
      }),
      { numRuns: 50 },
    );
    const odd = ['', 'NULL', null, 'a,b', '{c}', '"', '\\', 'line\nbreak', 'é', '🜂', 'x'.repeat(100_000)];
    expect(await asReceived('text', textArray(odd))).toEqual(odd);
  });

  it('bring every integer that the type can hold, and booleans', async () => {
    const ints = [0, 1, -1, null, 2 ** 31 - 1, -(2 ** 31)];
    expect(await asReceived('int', intArray(ints))).toEqual(ints.map((one) => one?.toString() ?? null));
    const numbers = [2 ** 32, -(2 ** 32), -(2 ** 32) - 1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER];
    const bigints = [0, -1, null, ...numbers, 2n ** 63n - 1n, -(2n ** 63n)];
    expect(await asReceived('bigint', bigintArray(bigints))).toEqual(
      bigints.map((one) => one?.toString() ?? null),
    );
    expect(await asReceived('int', intArray([]))).toEqual([]);
    expect(await asReceived('boolean', booleanArray([true, null, false]))).toEqual(['true', null, 'false']);
  });

  it('refuse what it cannot', () => {
    expect(() => intArray([2 ** 31])).toThrow(/range|integer/);
    expect(() => bigintArray([2n ** 63n])).toThrow(/range|integer/);
    expect(() => bigintArray([0.5])).toThrow(/range|integer/);
  });
});
