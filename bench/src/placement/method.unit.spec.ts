import { describe, expect, it } from '@jest/globals';
import { seededRandom } from '@gridbourse/kernel';
import {
  BidPricePolicy,
  Cluster,
  Demand,
  gpuDemand,
  type NodeSpec,
  type PlacementPolicy,
  type RequestShape,
  ShapeTable,
} from '@gridbourse/matchmaker/placement';
import fc from 'fast-check';
import { arrivalsOf } from './arrivals.ts';
import { bestFit } from './baselines/best-fit.ts';
import { fgd, fgdWithStranding } from './baselines/fgd.ts';
import { fragmentation, typicalOf } from './baselines/fragmentation.ts';
import { randomFit } from './baselines/random-fit.ts';
import { boundAt100 } from './bound.ts';
import { simulate } from './simulate.ts';

const any = { memoryMiB: 1, models: null };
const half: RequestShape = { ...any, cpuMillis: 1_000, gpus: 1, gpuThousandths: 500 };
const large: RequestShape = { ...any, cpuMillis: 2_000, gpus: 1, gpuThousandths: 810 };
const two: RequestShape = { ...any, cpuMillis: 4_000, gpus: 2, gpuThousandths: 1_000 };
const cpu: RequestShape = { ...any, cpuMillis: 3_000, gpus: 0, gpuThousandths: 0 };
const onlyA: RequestShape = { ...any, cpuMillis: 1_000, gpus: 1, gpuThousandths: 1_000, models: ['a'] };
const pool = [half, large, two, cpu, onlyA];

const node = fc.record({
  cpuMillis: fc.integer({ min: 4_000, max: 20_000 }),
  memoryMiB: fc.constant(64),
  gpus: fc.constantFrom(1, 2, 4),
  model: fc.constantFrom('a', 'b'),
});

describe('arrivals', () => {
  it('are the list in another order, then more of it, until 1.3 times the capacity is asked for', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60_000 }), fc.nat(), (capacity, seed) => {
        const shapes = new ShapeTable();
        const pods = [half, large, two, cpu, half].map((shape) => shapes.idOf(shape));
        const arrivals = arrivalsOf(pods, shapes, capacity, seededRandom(seed));
        const asked = arrivals.reduce((sum, id) => sum + gpuDemand(shapes.at(id)), 0);
        expect(asked).toBeGreaterThanOrEqual(1.3 * capacity);
        expect(asked - gpuDemand(shapes.at(arrivals.at(-1)!))).toBeLessThan(1.3 * capacity);
        if (arrivals.length >= pods.length)
          expect(arrivals.slice(0, pods.length).sort()).toEqual([...pods].sort());
        expect(arrivalsOf(pods, shapes, capacity, seededRandom(seed))).toEqual(arrivals);
      }),
    );
  });
});

describe('every policy', () => {
  const makers: Record<string, (cluster: Cluster, shapes: ShapeTable, demand: Demand) => PlacementPolicy> = {
    random: (cluster, shapes) => randomFit(cluster, shapes, seededRandom(1)),
    bestFit: (cluster, shapes) => bestFit(cluster, shapes),
    fgd: (cluster, shapes, demand) => fgd(cluster, shapes, demand.mix(), 'name', seededRandom(1)),
    fgdBestFitTies: (cluster, shapes, demand) =>
      fgd(cluster, shapes, demand.mix(), 'bestFit', seededRandom(1)),
    fgdStranding: (cluster, shapes, demand) =>
      fgdWithStranding(cluster, shapes, demand.mix(), seededRandom(1)),
    learnt: (cluster, shapes) => new BidPricePolicy(cluster, shapes, { random: seededRandom(1) }),
    known: (cluster, shapes, demand) =>
      new BidPricePolicy(cluster, shapes, { random: seededRandom(1), known: demand.mix() }),
  };

  it.each(Object.keys(makers))('%s stays below the bound and drops only what has no room', (name) => {
    fc.assert(
      fc.property(
        fc.array(node, { minLength: 1, maxLength: 5 }),
        fc.array(fc.constantFrom(...pool), { minLength: 1, maxLength: 12 }),
        fc.nat(),
        (nodes: NodeSpec[], list, seed) => {
          fc.pre(list.some((shape) => shape.gpus > 0));
          const shapes = new ShapeTable();
          const pods = list.map((shape) => shapes.idOf(shape));
          const demand = new Demand(shapes);
          pods.forEach((pod) => demand.observe(pod));
          const cluster = new Cluster(nodes);
          const policy = makers[name]!(cluster, shapes, demand);
          const watched: PlacementPolicy = {
            arrived: policy.arrived,
            choose: (id) => {
              const choice = policy.choose(id);
              const room = nodes.some((_, at) => cluster.fits(at, shapes.at(id)));
              expect(choice !== null).toBe(room);
              return choice;
            },
          };
          const arrivals = arrivalsOf(pods, shapes, cluster.gpuCapacity, seededRandom(seed));
          const run = simulate(cluster, shapes, watched, arrivals);
          expect(run.at100).toBeLessThanOrEqual(boundAt100(nodes, shapes, arrivals) + 1e-6);
          expect(run.at130).toBeGreaterThanOrEqual(run.at100);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('fragmentation', () => {
  const typical = [
    { shape: half, weight: 0.5 },
    { shape: two, weight: 0.3 },
    { shape: cpu, weight: 0.2 },
  ];
  const left = { model: 'a', cpuMillis: 8_000, memoryMiB: 64, gpus: [1_000, 1_000, 400, 0] };

  it('is what a random typical request could not use', () => {
    // half: only the 400 is too small; two: the same; a request without a GPU uses none of the 2,400.
    expect(fragmentation(left, typical)).toBeCloseTo(0.5 * 400 + 0.3 * 400 + 0.2 * 2_400, 9);
    // Without the CPU for two GPUs their share of all 2,400 is lost as well.
    expect(fragmentation({ ...left, cpuMillis: 3_999 }, typical)).toBeCloseTo(0.5 * 400 + 0.5 * 2_400, 9);
    expect(fragmentation({ ...left, gpus: [0, 0] }, typical)).toBe(0);
  });

  it('looks at the most frequent requests, until they cover 95 of 100', () => {
    const mix = [
      { shape: half, weight: 60 },
      { shape: two, weight: 35 },
      { shape: cpu, weight: 5 },
    ];
    const found = typicalOf(mix, true);
    expect(found.map(({ shape }) => shape)).toEqual([half, two]);
    expect(found.reduce((sum, { weight }) => sum + weight, 0)).toBeCloseTo(1, 12);
  });
});

describe('the upper bound', () => {
  const box = (gpus: number, model: string): NodeSpec => ({ cpuMillis: 64_000, memoryMiB: 64, gpus, model });

  it('leaves what no arrived request could use', () => {
    const shapes = new ShapeTable();
    const arrivals = Array.from({ length: 13 }, () => shapes.idOf(large));
    expect(boundAt100([box(10, 'a')], shapes, arrivals)).toBeCloseTo(81, 6);
  });

  it('knows that a model asked for too much stays short', () => {
    const shapes = new ShapeTable();
    const arrivals = Array.from({ length: 13 }, () => shapes.idOf(onlyA));
    expect(boundAt100([box(4, 'a'), box(6, 'b')], shapes, arrivals)).toBeCloseTo(40, 6);
  });
});
