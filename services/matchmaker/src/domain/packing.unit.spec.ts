import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { canPlaceAll } from '../../test/can-place.ts';
import { type Amounts, fits, leftOf } from './amounts.ts';
import { pack } from './packing.ts';

const small = fc.record({
  gpus: fc.nat({ max: 3 }),
  cpuMillis: fc.nat({ max: 3 }),
  memoryMiB: fc.nat({ max: 3 }),
  storageMiB: fc.nat({ max: 2 }),
});

const amounts = (max: number): fc.Arbitrary<Amounts> =>
  fc.record({
    gpus: fc.integer({ min: 0, max }),
    cpuMillis: fc.integer({ min: 0, max: max * 2 }),
    memoryMiB: fc.integer({ min: 0, max: max * 2 }),
    storageMiB: fc.integer({ min: 0, max }),
  });

describe('packing', () => {
  it('finds a way exactly when there is one, and never takes more than there is', () => {
    fc.assert(
      fc.property(
        fc.array(amounts(4), { maxLength: 6 }),
        fc.array(amounts(6), { minLength: 1, maxLength: 4 }),
        (needs, free) => {
          const nodes = free.map((node, i) => ({ ...node, name: `n${i}` }));
          const packed = pack(
            needs.map((need, tag) => ({ tag, needs: need })),
            nodes,
          );
          expect(packed !== null).toBe(canPlaceAll(needs, free));
          const left = new Map(nodes.map((node) => [node.name, node as Amounts]));
          for (const { tag, node } of packed ?? []) {
            expect(fits(needs[tag]!, left.get(node)!)).toBe(true);
            left.set(node, leftOf(left.get(node)!, needs[tag]!));
          }
          if (packed) expect(packed.map(({ tag }) => tag).sort()).toEqual(needs.map((_, i) => i));
        },
      ),
      { numRuns: 400 },
    );
  });

  it('stays quick where it cannot search', () => {
    const nodes = Array.from({ length: 2_000 }, (_, i) => ({
      name: `n${i}`,
      gpus: 8,
      cpuMillis: 64_000,
      memoryMiB: 1,
      storageMiB: 1,
    }));
    const pods = Array.from({ length: 256 }, (_, tag) => ({
      tag,
      needs: { gpus: 8, cpuMillis: 1, memoryMiB: 0, storageMiB: 0 },
    }));
    expect(new Set(pack(pods, nodes)!.map(({ node }) => node)).size).toBe(256);
  });
});

describe('a single pod', () => {
  it('goes to the fullest machine with room: by GPUs, then CPU, then memory, then the first', () => {
    let placed = 0;
    fc.assert(
      fc.property(small, fc.array(small, { maxLength: 8 }), (needs, free) => {
        const nodes = free.map((node, i) => ({ ...node, name: `n${i}` }));
        const [best] = nodes
          .map((node, at) => ({ ...node, at }))
          .filter((node) => fits(needs, node))
          .sort(
            (a, b) =>
              a.gpus - b.gpus || a.cpuMillis - b.cpuMillis || a.memoryMiB - b.memoryMiB || a.at - b.at,
          );
        const packed = pack([{ tag: 'pod', needs }], nodes);
        expect(packed).toEqual(best ? [{ tag: 'pod', node: best.name, at: best.at }] : null);
        if (best) placed += 1;
      }),
      { numRuns: 1_000 },
    );
    expect(placed).toBeGreaterThan(200);
  });

  it('of several, each is told the place of its machine', () => {
    const node = { gpus: 2, cpuMillis: 10, memoryMiB: 10, storageMiB: 10 };
    const nodes = ['a', 'b', 'c'].map((name, at) => ({ ...node, gpus: at, name }));
    const needs = { gpus: 1, cpuMillis: 1, memoryMiB: 1, storageMiB: 1 };
    const packed = pack(
      [1, 2, 3].map((tag) => ({ tag, needs })),
      nodes,
    )!;
    expect(packed.map(({ node: name, at }) => nodes[at]!.name === name)).toEqual([true, true, true]);
    expect(packed.map(({ at }) => at)).toEqual([1, 2, 2]);
  });
});
