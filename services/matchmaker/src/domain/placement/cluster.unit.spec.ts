import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { anyNode, anyShape, anySteps, columnsOf, everyChoice } from '../../../test/placement.ts';
import { Cluster, type Placement } from './cluster.ts';
import { ShapeTable, WHOLE_GPU } from './request-shape.ts';

const machine = { cpuMillis: 8_000, memoryMiB: 64, gpus: 2, model: 'a' };
const share = { cpuMillis: 1_000, memoryMiB: 8, gpus: 1, gpuThousandths: 600, models: null };
const code = (code: string): unknown => expect.objectContaining({ code });

const agrees = (cluster: Cluster): void => {
  const derived = cluster.derivedFree();
  expect(cluster.cpuFree).toEqual(derived.cpu);
  expect(cluster.memoryFree).toEqual(derived.memory);
  expect(cluster.gpuFree).toEqual(derived.gpu);
  expect(Math.min(...cluster.cpuFree, ...cluster.memoryFree)).toBeGreaterThanOrEqual(0);
  const wholes = Array.from({ length: cluster.size }, (_, node) =>
    [...derived.gpu.subarray(node * cluster.stride, (node + 1) * cluster.stride)].filter(
      (free) => free === WHOLE_GPU,
    ),
  );
  expect([...cluster.wholeFree]).toEqual(wholes.map(({ length }) => length));
  const total = derived.gpu.reduce((sum, free) => sum + free, 0);
  expect(cluster.gpuFreeTotal).toBe(total);
  expect(cluster.freeOfModel.reduce((sum, free) => sum + free, 0)).toBe(total);
};

describe('a cluster', () => {
  it('never gives more than it has, and its columns are what follows from what is placed', () => {
    fc.assert(
      fc.property(
        fc.array(anyNode, { minLength: 1, maxLength: 6 }),
        fc.array(anyShape, { minLength: 1, maxLength: 6 }),
        anySteps(60),
        (nodes, shapes, steps) => {
          const cluster = new Cluster(nodes);
          for (const { kind, pick } of steps) {
            const live = [...cluster.placements];
            if (kind === 'remove' && live.length > 0) cluster.remove(live[pick % live.length]!);
            if (kind === 'remove') continue;
            const shape = shapes[pick % shapes.length]!;
            const choices = everyChoice(cluster, shape);
            for (let node = 0; node < cluster.size; node += 1)
              expect(cluster.fits(node, shape)).toBe(choices.some((choice) => choice.node === node));
            if (choices.length > 0) cluster.place(choices[pick % choices.length]!, shape);
            // Derived free amounts below zero would wrap round in the column of GPUs and differ.
            agrees(cluster);
          }
          agrees(cluster);
        },
      ),
    );
  });

  it('is bit by bit what it was when what was placed is removed, in any order', () => {
    fc.assert(
      fc.property(
        fc.array(anyNode, { minLength: 1, maxLength: 5 }),
        fc.array(fc.tuple(anyShape, fc.nat(1_000), fc.nat(1_000)), { maxLength: 40 }),
        (nodes, requests) => {
          const cluster = new Cluster(nodes);
          const before = columnsOf(cluster);
          const placed: { placement: Placement; order: number }[] = [];
          for (const [shape, pick, order] of requests) {
            const choices = everyChoice(cluster, shape);
            if (choices.length === 0) continue;
            placed.push({ placement: cluster.place(choices[pick % choices.length]!, shape), order });
          }
          placed.sort((a, b) => a.order - b.order).forEach(({ placement }) => cluster.remove(placement));
          expect(columnsOf(cluster)).toEqual(before);
        },
      ),
    );
  });

  it('keeps a share inside one GPU', () => {
    const cluster = new Cluster([machine]);
    cluster.place({ node: 0, gpu: 0 }, share);
    expect([...cluster.gpuFree]).toEqual([400, 1_000]);
    cluster.place({ node: 0, gpu: 1 }, share);
    expect(cluster.fits(0, share)).toBe(false);
    expect(cluster.fits(0, { ...share, gpuThousandths: 400 })).toBe(true);
  });

  it.each([
    ['a GPU that is too full', { node: 0, gpu: 0 }, share],
    ['a GPU that the node does not have', { node: 0, gpu: 2 }, share],
    ['a node that does not exist', { node: 3, gpu: 0 }, share],
    ['a negative node', { node: -1, gpu: 0 }, share],
    ['whole GPUs where one is shared', { node: 0, gpu: -1 }, { ...share, gpus: 2, gpuThousandths: 1_000 }],
    ['more CPU than is left', { node: 0, gpu: 1 }, { ...share, cpuMillis: 7_001 }],
    ['more memory than is left', { node: 0, gpu: 1 }, { ...share, memoryMiB: 57 }],
    ['a model that it is not', { node: 0, gpu: 1 }, { ...share, models: ['b'] }],
  ])('refuses %s and changes nothing', (_, choice, shape) => {
    const cluster = new Cluster([machine]);
    cluster.place({ node: 0, gpu: 0 }, share);
    const before = columnsOf(cluster);
    expect(() => cluster.place(choice, shape)).toThrow(code('does_not_fit'));
    expect(columnsOf(cluster)).toEqual(before);
  });

  it('gives nothing back twice, and nothing that it never gave', () => {
    const cluster = new Cluster([machine]);
    const placement = cluster.place({ node: 0, gpu: 0 }, share);
    expect(() => cluster.remove({ ...placement })).toThrow(code('not_placed'));
    cluster.remove(placement);
    const before = columnsOf(cluster);
    expect(() => cluster.remove(placement)).toThrow(code('not_placed'));
    expect(columnsOf(cluster)).toEqual(before);
  });

  it.each([
    { ...machine, gpus: -1 },
    { ...machine, gpus: 17 },
    { ...machine, cpuMillis: 1.5 },
    { ...machine, cpuMillis: -1 },
    { ...machine, memoryMiB: 2 ** 31 },
    { ...machine, memoryMiB: Number.NaN },
  ])('refuses the impossible machine %j', (spec) => {
    expect(() => new Cluster([spec])).toThrow(code('impossible_node'));
  });
});

describe('shapes', () => {
  it.each([
    { ...share, gpuThousandths: 0 },
    { ...share, gpuThousandths: 1_001 },
    { ...share, gpus: 2 },
    { ...share, gpus: 0 },
    { ...share, gpus: 17, gpuThousandths: 1_000 },
    { ...share, cpuMillis: -1 },
    { ...share, cpuMillis: Number.POSITIVE_INFINITY },
    { ...share, memoryMiB: 0.5 },
    { ...share, models: [] },
  ])('that no machine could be asked are refused: %j', (shape) => {
    expect(() => new ShapeTable().idOf(shape)).toThrow(code('impossible_shape'));
  });

  it('are the same whatever the order of their models', () => {
    const table = new ShapeTable();
    const id = table.idOf({ ...share, models: ['b', 'a'] });
    expect(table.idOf({ ...share, models: ['a', 'b', 'a'] })).toBe(id);
    expect(table.idOf(share)).not.toBe(id);
    expect(table.size).toBe(2);
  });

  it('are looked up by the numbers given', () => {
    expect(() => new ShapeTable().at(0)).toThrow(code('unknown_shape'));
  });
});
