import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { fits } from './amounts.ts';
import { pack } from './packing.ts';

const amounts = fc.record({
  gpus: fc.nat({ max: 3 }),
  cpuMillis: fc.nat({ max: 3 }),
  memoryMiB: fc.nat({ max: 3 }),
  storageMiB: fc.nat({ max: 2 }),
});

describe('a single pod', () => {
  it('goes to the fullest machine with room: by GPUs, then CPU, then memory, then the first', () => {
    let placed = 0;
    fc.assert(
      fc.property(amounts, fc.array(amounts, { maxLength: 8 }), (needs, free) => {
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
