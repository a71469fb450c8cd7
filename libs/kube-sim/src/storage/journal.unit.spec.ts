import { mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { CONFIG_MAPS, NODES } from '../kinds.ts';
import type { KubeObject } from '../objects.ts';
import { Journal } from './journal.ts';
import { type Change, ObjectStore } from './store.ts';

const object = (name: string, namespace: string | undefined, data: string): KubeObject =>
  ({
    apiVersion: 'v1',
    kind: 'X',
    metadata: { name, ...(namespace ? { namespace } : {}) },
    data,
  }) as unknown as KubeObject;

type Step = { name: string; cluster: boolean; data: string | null } | 'compact';

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      name: fc.constantFrom('a', 'b', 'c'),
      cluster: fc.boolean(),
      data: fc.option(fc.constantFrom('1', '2')),
    }),
  },
  { weight: 1, arbitrary: fc.constant('compact' as const) },
);

const contents = (store: ObjectStore): string =>
  JSON.stringify([store.revision, store.list(CONFIG_MAPS), store.list(NODES)]);

describe('the journal', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'journal-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const open = (file: string): { store: ObjectStore; journal: Journal } => {
    const store: ObjectStore = new ObjectStore({
      historyLimit: 5,
      persist: (change: Change) => journal.append(change),
    });
    const journal = Journal.open(file, store, { clusterId: 'c', token: undefined, newToken: () => 't' });
    return { store, journal };
  };
  const run = ({ store, journal }: ReturnType<typeof open>, steps: readonly Step[]): void => {
    for (const each of steps) {
      if (each === 'compact') {
        journal.compact(store);
        continue;
      }
      const kind = each.cluster ? NODES : CONFIG_MAPS;
      const namespace = each.cluster ? undefined : 'n';
      if (each.data === null) store.remove(kind, namespace, each.name);
      else store.put(kind, object(each.name, namespace, each.data));
    }
  };

  it('property: what it holds after any steps is what was there, and lists of the past stay true', () => {
    let n = 0;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.array(step, { maxLength: 30 }), (first, second) => {
        const file = join(folder, `p${(n += 1)}`);
        const one = open(file);
        run(one, first);
        one.journal.close();
        const two = open(file);
        expect(contents(two.store)).toBe(contents(one.store));
        const then = JSON.stringify(two.store.list(CONFIG_MAPS));
        const { revision } = two.store;
        run(two, second);
        if (two.store.oldestRevision <= revision)
          expect(JSON.stringify(two.store.listAt(CONFIG_MAPS, undefined, revision))).toBe(then);
        two.journal.close();
        const three = open(file);
        expect(contents(three.store)).toBe(contents(two.store));
        three.journal.close();
      }),
      { numRuns: 60 },
    );
  });

  it('property: cut anywhere, it holds all whole lines', () => {
    const file = join(folder, 'cut');
    const states: string[] = [];
    const whole = open(file);
    const sizes: number[] = [readFileSync(file).length];
    states.push(contents(whole.store));
    for (let i = 0; i < 20; i += 1) {
      whole.store.put(CONFIG_MAPS, object(`o${i % 7}`, 'n', `${i}`));
      sizes.push(readFileSync(file).length);
      states.push(contents(whole.store));
    }
    whole.journal.close();
    for (let length = sizes.at(-1)! - 1; length >= sizes[0]!; length -= 37) {
      truncateSync(file, length);
      const cut = open(file);
      expect(contents(cut.store)).toBe(states[sizes.findLastIndex((size) => size <= length)]);
      cut.journal.close();
    }
  });
});
