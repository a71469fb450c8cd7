import { describe, expect, it } from '@jest/globals';
import { ObjectCache } from './object-cache.ts';

const entry = (key: string, version: string) => ({ key, item: `${key}@${version}`, version });

describe('the cache of a cluster', () => {
  it('keeps the newer copy, whichever way it came', () => {
    const cache = new ObjectCache<string>();
    expect(cache.put('a', 'a@5', '5')).toBe(true);
    expect(cache.put('a', 'a@4', '4')).toBe(false);
    expect(cache.replace([entry('a', '4')], '4', 'beside')).toEqual([]);
    expect(cache.get('a')).toBe('a@5');
  });

  it('does not lose what appeared while a list was on its way, nor bring back what went', () => {
    const cache = new ObjectCache<string>();
    cache.put('new', 'new@9', '9');
    cache.put('old', 'old@3', '3');
    cache.remove('old', '8');
    expect(cache.replace([entry('old', '3')], '7', 'beside')).toEqual([]);
    expect([...cache.values()].map(({ item }) => item)).toEqual(['new@9']);
    expect(cache.replace([], '9', 'beside')).toEqual(['new@9']);
  });

  it('starts anew with a collection whose versions start anew', () => {
    const cache = new ObjectCache<string>();
    cache.put('before', 'before@900', '900');
    expect(cache.replace([entry('after', '3')], '4', 'anew').sort()).toEqual(['after@3', 'before@900']);
    expect([...cache.values()].map(({ item }) => item)).toEqual(['after@3']);
  });
});
