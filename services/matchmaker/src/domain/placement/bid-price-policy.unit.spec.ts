import { describe, expect, it } from '@jest/globals';
import { nextInt, seededRandom } from '@gridbourse/kernel';
import fc from 'fast-check';
import { anyNode, anyShape, anySteps, columnsOf, everyChoice, type Step } from '../../../test/placement.ts';
import { BidPricePolicy } from './bid-price-policy.ts';
import { type Choice, Cluster, type NodeSpec } from './cluster.ts';
import { Demand, type Wanted } from './demand.ts';
import { slotStep } from './gang-places.ts';
import { NodeWorth, WORTH_WEIGHTS } from './node-worth.ts';
import { PlacementEngine } from './policy.ts';
import { gpuDemand, type RequestShape, type ShapeId, ShapeTable } from './request-shape.ts';
import { ScarcityPrices } from './scarcity.ts';

const repeat = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

const mixOf = (table: ShapeTable, ids: readonly ShapeId[]): Wanted[] => {
  const demand = new Demand(table);
  ids.forEach((id) => demand.observe(id));
  return demand.mix();
};

/** The cost of a choice from its definition: make the change, compare the worth, take it back. */
const costOf = (
  cluster: Cluster,
  shape: RequestShape,
  choice: Choice,
  worth: NodeWorth,
  prices: ScarcityPrices,
): number => {
  const { node } = choice;
  const kinds = [prices.places, prices.roomyPlaces];
  const slots = (): number[] =>
    kinds.map((places) =>
      places.slots(cluster.wholeFree[node]!, cluster.cpuFree[node]!, cluster.memoryFree[node]!),
    );
  const before = worth.of(node);
  const slotsBefore = slots();
  const placement = cluster.place(choice, shape);
  const after = worth.of(node);
  const slotsAfter = slots();
  cluster.remove(placement);
  const model = prices.ofModel[cluster.modelOf[node]!]! * gpuDemand(shape);
  const lost = kinds.map(({ loss }, at) => loss[slotStep(slotsBefore[at]!, slotsAfter[at]!)]!);
  return before - after + model + lost.reduce((sum, each) => sum + each, 0);
};

const history = (
  nodes: readonly NodeSpec[],
  shapes: readonly RequestShape[],
  steps: readonly Step[],
  seed: number,
) => {
  const table = new ShapeTable();
  const ids = shapes.map((shape) => table.idOf(shape));
  const cluster = new Cluster(nodes);
  const policy = new BidPricePolicy(cluster, table, { random: seededRandom(seed) });
  const engine = new PlacementEngine(cluster, table, policy);
  const answers: (string | null)[] = [];
  for (const { kind, pick } of steps) {
    const live = [...cluster.placements];
    if (kind === 'place') {
      const placed = engine.place(ids[pick % ids.length]!);
      answers.push(placed && `${placed.node}/${placed.gpuMask}`);
    } else if (live.length > 0) engine.remove(live[pick % live.length]!);
  }
  return { answers, columns: columnsOf(cluster) };
};

const nodes = fc.array(anyNode, { minLength: 1, maxLength: 6 });
const shapes = fc.array(anyShape, { minLength: 1, maxLength: 8 });

describe('the bid price policy', () => {
  it('finds the least cost that looking at every machine and GPU finds, and room wherever there is some', () => {
    fc.assert(
      fc.property(nodes, shapes, anySteps(80), (specs, wanted, steps) => {
        const table = new ShapeTable();
        const ids = wanted.map((shape) => table.idOf(shape));
        const known = mixOf(table, ids);
        const cluster = new Cluster(specs);
        const policy = new BidPricePolicy(cluster, table, { random: seededRandom(1), known });
        // The oracle has a cluster of its own, so that its trying does not refresh what the policy keeps.
        const mirror = new Cluster(specs);
        const worth = new NodeWorth(known, mirror, WORTH_WEIGHTS);
        const prices = new ScarcityPrices(known, mirror);
        const pairs: { ours: ReturnType<Cluster['place']>; theirs: ReturnType<Cluster['place']> }[] = [];
        let arrivals = 0;
        for (const { kind, pick } of steps) {
          if (kind === 'remove') {
            const [pair] = pairs.splice(pick % Math.max(1, pairs.length), 1);
            if (pair) {
              cluster.remove(pair.ours);
              mirror.remove(pair.theirs);
            }
            continue;
          }
          const id = ids[pick % ids.length]!;
          const shape = table.at(id);
          if (arrivals % 32 === 0) prices.refresh();
          arrivals += 1;
          policy.arrived(id);
          const choice = policy.choose(id);
          const options = everyChoice(mirror, shape);
          expect(choice === null).toBe(options.length === 0);
          if (choice === null) continue;
          const least = Math.min(...options.map((option) => costOf(mirror, shape, option, worth, prices)));
          expect(costOf(mirror, shape, choice, worth, prices)).toBeCloseTo(least, 4);
          pairs.push({ ours: cluster.place(choice, shape), theirs: mirror.place(choice, shape) });
        }
      }),
      { numRuns: 300 },
    );
  });

  it('answers the same to the same events and the same seed', () => {
    fc.assert(
      fc.property(nodes, shapes, anySteps(80), fc.nat(), (specs, wanted, steps, seed) => {
        expect(history(specs, wanted, steps, seed)).toEqual(history(specs, wanted, steps, seed));
      }),
    );
  });

  it('breaks ties by the seed, and reaches every machine that is alike', () => {
    const specs = Array.from({ length: 4 }, () => ({ cpuMillis: 4_000, memoryMiB: 8, gpus: 1, model: 'a' }));
    const shape = { cpuMillis: 1_000, memoryMiB: 1, gpus: 1, gpuThousandths: 1_000, models: null };
    const first = Array.from({ length: 64 }, (_, seed) =>
      history(specs, [shape], [{ kind: 'place', pick: 0 }], seed).answers.join(),
    );
    expect([...new Set(first)].sort()).toEqual(['0/1', '1/1', '2/1', '3/1']);
  });
});

/** Requests that arrive in this order; how many of each shape found a place. */
const placedOf = (
  specs: readonly NodeSpec[],
  arrivals: readonly RequestShape[],
): Map<RequestShape, number> => {
  const table = new ShapeTable();
  const ids = arrivals.map((shape) => table.idOf(shape));
  const cluster = new Cluster(specs);
  const known = mixOf(table, ids);
  const engine = new PlacementEngine(
    cluster,
    table,
    new BidPricePolicy(cluster, table, { random: seededRandom(3), known }),
  );
  const placed = new Map<RequestShape, number>();
  arrivals.forEach((shape, i) => {
    if (engine.place(ids[i]!)) placed.set(shape, (placed.get(shape) ?? 0) + 1);
  });
  return placed;
};

describe('whole machines', () => {
  it('are left whole for requests that nobody has made yet', () => {
    const machines = 20;
    const box = { cpuMillis: 96_000, memoryMiB: 393_216, gpus: 8, model: 'a' };
    for (const seed of [1, 2, 3]) {
      const table = new ShapeTable();
      const cluster = new Cluster(repeat(machines, box));
      const policy = new BidPricePolicy(cluster, table, { random: seededRandom(seed) });
      const engine = new PlacementEngine(cluster, table, policy);
      const random = seededRandom(100 + seed);
      const kinds = [
        { cpuMillis: 11_400, gpuThousandths: 1_000 },
        { cpuMillis: 3_152, gpuThousandths: 810 },
        { cpuMillis: 4_000, gpuThousandths: 460 },
      ].map((kind) => table.idOf({ ...kind, memoryMiB: 16_384, gpus: 1, models: null }));
      while (cluster.gpuFreeTotal > 0.75 * cluster.gpuCapacity)
        engine.place(kinds[nextInt(random, kinds.length)]!);
      const whole = cluster.wholeFree.filter((gpus) => gpus === 8).length;
      // A quarter of the GPUs are used; spread at random, hardly a machine would be left.
      expect(whole).toBeGreaterThanOrEqual(machines * 0.65);
    }
  });
});

describe('what is scarce is kept for those who need it', () => {
  const one = { cpuMillis: 1_000, memoryMiB: 1, gpus: 1, gpuThousandths: 1_000, models: null };

  it('a model that some requests insist on', () => {
    const box = (model: string): NodeSpec => ({ cpuMillis: 8_000, memoryMiB: 64, gpus: 4, model });
    const only = { ...one, models: ['t4'] };
    const placed = placedOf(
      [...repeat(4, box('t4')), ...repeat(4, box('g2'))],
      [...repeat(16, one), ...repeat(16, only)],
    );
    expect(placed.get(only)).toBe(16);
    expect(placed.get(one)).toBe(16);
  });

  it('whole machines, for requests of all their GPUs', () => {
    const box = { cpuMillis: 16_000, memoryMiB: 64, gpus: 8, model: 'a' };
    const eight = { ...one, gpus: 8, cpuMillis: 8_000 };
    const placed = placedOf(repeat(8, box), [...repeat(32, one), ...repeat(4, eight)]);
    expect(placed.get(eight)).toBe(4);
    expect(placed.get(one)).toBe(32);
  });

  it('CPU beside free GPUs, where requests for CPU alone could go elsewhere', () => {
    const rich = { cpuMillis: 64_000, memoryMiB: 64, gpus: 1, model: 'a' };
    const poor = { cpuMillis: 8_000, memoryMiB: 64, gpus: 4, model: 'a' };
    const cpu = { cpuMillis: 4_000, memoryMiB: 1, gpus: 0, gpuThousandths: 0, models: null };
    const gpu = { ...one, cpuMillis: 2_000 };
    const placed = placedOf([rich, poor], [...repeat(12, cpu), ...repeat(5, gpu)]);
    expect(placed.get(cpu)).toBe(12);
    expect(placed.get(gpu)).toBe(5);
  });

  it('the small shares that complete large ones', () => {
    const box = { cpuMillis: 64_000, memoryMiB: 64, gpus: 8, model: 'a' };
    const large = { ...one, gpuThousandths: 700 };
    const small = { ...one, gpuThousandths: 300 };
    const placed = placedOf([box], [...repeat(4, large), ...repeat(8, small), ...repeat(4, large)]);
    expect(placed.get(large)).toBe(8);
    expect(placed.get(small)).toBe(8);
  });
});
