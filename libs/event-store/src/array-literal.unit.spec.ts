import { describe, expect, it } from '@jest/globals';
import { integerArray, jsonTextArray, textArray } from './array-literal.ts';

describe('array literals', () => {
  it('quote what Postgres would take for its own signs', () => {
    expect(
      textArray(['a', '', 'NULL', null, 'a,b', '{c}', 'say "hi"', 'back\\slash', 'line\nbreak', 'é']),
    ).toBe('{"a","","NULL",NULL,"a,b","{c}","say \\"hi\\"","back\\\\slash","line\nbreak","é"}');
    expect(textArray([])).toBe('{}');
  });

  it('write numbers and what is missing', () => {
    expect(integerArray([1, null, -3])).toBe('{1,NULL,-3}');
  });

  it('carry JSON as text', () => {
    expect(jsonTextArray([JSON.stringify({ a: 'x"y\n' })])).toBe('{"{\\"a\\":\\"x\\\\\\"y\\\\n\\"}"}');
  });
});
