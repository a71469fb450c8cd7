import { describe, expect, it } from '@jest/globals';
import { PODS } from '../kinds.ts';
import type { KubeObject } from '../objects.ts';
import { fieldMatcher, labelMatcher, selectorMatches } from './selectors.ts';

const object = (labels: Record<string, string>): KubeObject =>
  ({ metadata: { name: 'n', labels }, status: { phase: 'Running' } }) as unknown as KubeObject;

describe('selectors', () => {
  it.each([
    ['a=1', true],
    ['a==1,b!=1', true],
    ['a!=1', false],
    ['a in (1, 2),c', false],
    ['a in (1,2),!c', true],
    ['b notin (1)', true],
    ['a', true],
  ])('labels: %s', (text, expected) => {
    expect(labelMatcher(text)!(object({ a: '1', b: '2' }))).toBe(expected);
  });

  it('refuses nonsense', () => {
    expect(() => labelMatcher('a=(b')).toThrow('unable to parse requirement');
    expect(() => fieldMatcher(PODS, 'spec.unknown=1')).toThrow('field label not supported: spec.unknown');
  });

  it('fields: by path, equal or not', () => {
    expect(fieldMatcher(PODS, 'status.phase=Running,metadata.name!=x')!(object({}))).toBe(true);
    expect(fieldMatcher(PODS, 'spec.nodeName=')!(object({}))).toBe(true);
  });

  it('inside objects: none selects nothing, an empty one everything', () => {
    expect([selectorMatches(undefined, {}), selectorMatches({}, {})]).toEqual([false, true]);
    expect(
      selectorMatches(
        { matchLabels: { a: '1' }, matchExpressions: [{ key: 'b', operator: 'DoesNotExist' }] },
        { a: '1' },
      ),
    ).toBe(true);
    expect(selectorMatches({ matchExpressions: [{ key: 'b', operator: 'Strange' }] }, { b: '1' })).toBe(
      false,
    );
  });
});
