import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Fields, KubeObject } from '../objects.ts';
import { applyPatch, ApplyConflicts } from './apply.ts';
import { fieldsOf, FieldSet } from './field-set.ts';
import { jsonPatch } from './json-patch.ts';
import { trackUpdate } from './managed-fields.ts';
import { mergePatch } from './merge-patch.ts';
import { strategicMerge } from './strategic-merge.ts';

const by = (manager: string) => ({ manager, nowMs: 0 });
const pod = (spec: Fields): Fields => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec });
const apply = (live: KubeObject | null, manager: string, spec: Fields, force = false): KubeObject => {
  const { object, managedFields } = applyPatch(live, pod(spec), by(manager), force);
  const { metadata } = object as unknown as KubeObject;
  return { ...object, metadata: { ...metadata, managedFields } } as unknown as KubeObject;
};
const specOf = (object: KubeObject): Fields => (object as unknown as { spec: Fields }).spec;
const ports = (...numbers: number[]) => numbers.map((containerPort) => ({ containerPort }));

describe('server-side apply', () => {
  it('merges lists by key and leaves what others set', () => {
    const a = apply(null, 'a', { containers: [{ name: 'x', image: 'i:1', ports: ports(80) }] });
    const b = apply(a, 'b', {
      containers: [
        { name: 'y', image: 'i:2' },
        { name: 'x', ports: ports(81) },
      ],
    });
    expect(specOf(b)).toEqual({
      containers: [
        { name: 'x', image: 'i:1', ports: ports(80, 81) },
        { name: 'y', image: 'i:2' },
      ],
    });
    const again = apply(b, 'a', { containers: [{ name: 'x', image: 'i:1' }] });
    expect(specOf(again)).toEqual({
      containers: [
        { name: 'x', image: 'i:1', ports: ports(81) },
        { name: 'y', image: 'i:2' },
      ],
    });
  });

  it('keeps what two managers wish until the last of them lets go', () => {
    const both = apply(apply(null, 'a', { nodeName: 'n', hostname: 'h' }), 'b', { nodeName: 'n' });
    const one = apply(both, 'a', { hostname: 'h' });
    expect(specOf(one)).toEqual({ nodeName: 'n', hostname: 'h' });
    expect(specOf(apply(one, 'b', {}))).toEqual({ hostname: 'h' });
  });

  it('refuses to change what another owns, and takes it over when forced', () => {
    const a = apply(null, 'a', { nodeName: 'n1', nodeSelector: { x: '1' } });
    const fields = (run: () => unknown): string[] => {
      try {
        run();
        return [];
      } catch (error) {
        return (error as ApplyConflicts).conflicts.map(({ field, manager }) => `${manager} ${field}`);
      }
    };
    expect(fields(() => apply(a, 'b', { nodeName: 'n2', nodeSelector: { y: '2' } })).sort()).toEqual([
      'a .spec.nodeName',
      'a .spec.nodeSelector',
    ]);
    const forced = apply(a, 'b', { nodeName: 'n2' }, true);
    expect(specOf(forced)['nodeName']).toBe('n2');
    expect(fields(() => apply(forced, 'a', { nodeName: 'n1', nodeSelector: { x: '1' } }))).toEqual([
      'b .spec.nodeName',
    ]);
  });

  it('gives fields to whoever updates them', () => {
    const a = apply(null, 'a', { nodeName: 'n1', hostname: 'h' });
    const changed = { ...a, spec: { nodeName: 'n2', hostname: 'h' } } as unknown as KubeObject;
    const updated = {
      ...changed,
      metadata: { ...changed.metadata, managedFields: trackUpdate(a, changed, by('u')) },
    };
    expect(() => apply(updated, 'a', { nodeName: 'n1', hostname: 'h' })).toThrow(ApplyConflicts);
    expect(() => apply(updated, 'a', { nodeName: 'n2', hostname: 'h' })).not.toThrow();
  });

  const leaf = fc.oneof(fc.constantFrom('1', '2'), fc.array(fc.constantFrom('x', 'y'), { maxLength: 2 }));
  const value: fc.Arbitrary<Fields> = fc.letrec<{ value: Fields; map: Fields }>((tie) => ({
    map: fc.dictionary(fc.constantFrom('a', 'b', 'selector'), fc.oneof(leaf, tie('value')), {
      maxKeys: 3,
      noNullPrototype: true,
    }),
    value: fc
      .tuple(tie('map'), fc.option(fc.subarray(['p', 'q']), { nil: undefined }), fc.option(leaf))
      .map(([map, names, value]) =>
        names ? { ...map, env: names.map((name) => (value ? { name, value } : { name })) } : map,
      ),
  })).value;
  /** Lists by key keep the order in which their items came. */
  const sorted = (object: unknown): unknown =>
    JSON.parse(
      JSON.stringify(object ?? {}, (key, each: unknown) =>
        key === 'env' ? (each as { name: string }[]).toSorted((a, b) => (a.name < b.name ? -1 : 1)) : each,
      ),
    );

  it('property: what was applied is there, applying it again changes nothing, and applying nothing leaves nothing', () => {
    fc.assert(
      fc.property(value, value, (first, second) => {
        const one = apply(null, 'a', first);
        const two = apply(one, 'a', second);
        expect(sorted(specOf(two))).toEqual(sorted(second));
        expect(applyPatch(two, pod(second), by('a'), false).changed).toBe(false);
        expect(specOf(apply(two, 'a', {})) ?? {}).toEqual({});
      }),
    );
  });

  it('property: field sets survive their written form', () => {
    fc.assert(
      fc.property(value, (spec) => {
        const set = fieldsOf({ spec });
        expect([...FieldSet.fromFieldsV1(set.toFieldsV1())].sort()).toEqual([...set].sort());
      }),
    );
  });
});

describe('the other patches', () => {
  it('merge patch (RFC 7386)', () => {
    expect(mergePatch({ a: { b: '1', c: [1] }, d: 1 }, { a: { b: null, c: [2] }, e: { f: null } })).toEqual({
      a: { c: [2] },
      d: 1,
      e: {},
    });
  });

  it('JSON patch (RFC 6902)', () => {
    const target = { a: [1, 2], 'x/y': { z: 'q' } };
    const patched = jsonPatch(target, [
      { op: 'test', path: '/x~1y/z', value: 'q' },
      { op: 'add', path: '/a/1', value: 9 },
      { op: 'add', path: '/a/-', value: 3 },
      { op: 'move', from: '/x~1y/z', path: '/moved' },
      { op: 'remove', path: '/a/0' },
    ]);
    expect(patched).toEqual({ a: [9, 2, 3], 'x/y': {}, moved: 'q' });
    expect(target.a).toEqual([1, 2]);
    expect(() => jsonPatch(target, [{ op: 'test', path: '/a/0', value: 2 }])).toThrow(
      'testing value /a/0 failed',
    );
    expect(() => jsonPatch(target, [{ op: 'remove', path: '/nope' }])).toThrow('does not exist');
  });

  it('strategic merge patch', () => {
    const target = {
      spec: {
        containers: [
          { name: 'a', image: '1' },
          { name: 'b', image: '1' },
        ],
        finalizers: ['x'],
      },
    };
    const patch = {
      spec: {
        containers: [
          { name: 'b', image: '2' },
          { name: 'a', $patch: 'delete' },
        ],
        finalizers: ['y'],
        '$setElementOrder/containers': [],
      },
    };
    expect(strategicMerge(target, patch)).toEqual({
      spec: { containers: [{ name: 'b', image: '2' }], finalizers: ['x', 'y'] },
    });
    expect(strategicMerge({ a: { b: 1 } }, { a: { $patch: 'replace', c: 2 } })).toEqual({ a: { c: 2 } });
  });
});
