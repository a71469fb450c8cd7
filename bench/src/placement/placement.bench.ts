import { type Random, seededRandom } from '@gridbourse/kernel';
import {
  BidPricePolicy,
  Cluster,
  Demand,
  type NodeSpec,
  type PlacementPolicy,
  type ShapeId,
  ShapeTable,
  type Wanted,
} from '@gridbourse/matchmaker/placement';
import { z } from 'zod';
import { type BenchmarkContext, defineBenchmark } from '../frame/benchmark.ts';
import { perSecond, rounded } from '../frame/statistics.ts';
import { arrivalsOf } from './arrivals.ts';
import { asSold, marketPacking } from './as-sold.ts';
import { bestFit } from './baselines/best-fit.ts';
import { fgd, fgdWithStranding } from './baselines/fgd.ts';
import { randomFit } from './baselines/random-fit.ts';
import { boundAt100 } from './bound.ts';
import { type Run, simulate } from './simulate.ts';
import { listName, readNodes, readPods } from './trace.ts';

const OPENB = '../shared/data/openb';

type Maker = (
  cluster: Cluster,
  shapes: ShapeTable,
  mix: readonly Wanted[],
  random: Random,
) => PlacementPolicy;

const PUBLISHED: Readonly<Record<string, Maker>> = {
  random: (cluster, shapes, _, random) => randomFit(cluster, shapes, random),
  bestFit: (cluster, shapes) => bestFit(cluster, shapes),
  fgd: (cluster, shapes, mix, random) => fgd(cluster, shapes, mix, 'name', random),
};
const TRIALS: Readonly<Record<string, Maker>> = {
  fgdBestFitTies: (cluster, shapes, mix, random) => fgd(cluster, shapes, mix, 'bestFit', random),
  fgdStranding: fgdWithStranding,
};
const OURS: Readonly<Record<string, Maker>> = {
  learnt: (cluster, shapes, _, random) => new BidPricePolicy(cluster, shapes, { random }),
  known: (cluster, shapes, mix, random) => new BidPricePolicy(cluster, shapes, { random, known: mix }),
};

/** With requests as the market sells to them: what the matchmaker does with them, which is measured like the others. */
const SOLD: Readonly<Record<string, Maker>> = { matchmaker: marketPacking };

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

const spread = (values: readonly number[]): number => {
  if (values.length < 2) return 0;
  const middle = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1));
};

type Trace = {
  readonly name: string;
  readonly nodes: readonly NodeSpec[];
  readonly shapes: ShapeTable;
  readonly pods: readonly ShapeId[];
  readonly mix: readonly Wanted[];
};

const readTrace = (nodesFile: string, podsFile: string, sold: boolean): Trace => {
  const shapes = new ShapeTable();
  const nodes = readNodes(nodesFile);
  const listed = readPods(podsFile);
  const pods = (sold ? asSold(listed, nodes, seededRandom(0)) : listed).map((pod) => shapes.idOf(pod));
  const demand = new Demand(shapes);
  pods.forEach((pod) => demand.observe(pod));
  return { name: listName(podsFile), nodes, shapes, pods, mix: demand.mix() };
};

const runSeeds = (trace: Trace, make: Maker, seeds: readonly number[]): Run[] =>
  seeds.map((seed) => {
    const cluster = new Cluster(trace.nodes);
    const arrivals = arrivalsOf(trace.pods, trace.shapes, cluster.gpuCapacity, seededRandom(seed));
    return simulate(
      cluster,
      trace.shapes,
      make(cluster, trace.shapes, trace.mix, seededRandom(~seed)),
      arrivals,
    );
  });

const figuresOf = (name: string, runs: readonly Run[]): Record<string, number> => {
  const requests = runs.reduce((sum, run) => sum + run.requests, 0);
  const at100 = runs.map((run) => run.at100);
  const fixed = (value: number): number => Number(value.toFixed(3));
  return {
    [`${name}AllocatedPercentAt100`]: fixed(mean(at100)),
    [`${name}SpreadAt100`]: fixed(spread(at100)),
    [`${name}AllocatedPercentAt130`]: fixed(mean(runs.map((run) => run.at130))),
    [`${name}PlacementsPerSecond`]: perSecond(
      requests,
      runs.reduce((sum, run) => sum + run.ms, 0),
    ),
    [`${name}PlacementsPerCpuSecond`]: perSecond(
      requests,
      runs.reduce((sum, run) => sum + run.cpuMs, 0),
    ),
  };
};

const tell = ({ progress }: BenchmarkContext, list: string, name: string, runs: readonly Run[]): void => {
  const at100 = runs.map((run) => run.at100);
  const requests = runs.reduce((sum, run) => sum + run.requests, 0);
  const rate = perSecond(
    requests,
    runs.reduce((sum, run) => sum + run.ms, 0),
  );
  progress(
    `${list.padEnd(12)} ${name.padEnd(15)} at 100 %: ${mean(at100).toFixed(2)} (spread ${spread(at100).toFixed(2)})  ` +
      `at 130 %: ${mean(runs.map((run) => run.at130)).toFixed(2)}  ${rate} placements/s`,
  );
};

/** Placement by the method of the openb trace, ours against the published policies, with an upper bound. */
export const placementBenchmark = defineBenchmark({
  name: 'placement',
  summary:
    'share of GPUs allocated and placements/s of ours, Random, BestFit and FGD on a node and a pod list',
  options: z.object({
    nodes: z
      .string()
      .default(`${OPENB}/openb_node_list_gpu_node.csv`)
      .describe('node list: sn,cpu_milli,memory_mib,gpu,model'),
    pods: z
      .string()
      .default(`${OPENB}/openb_pod_list_default.csv`)
      .describe('pod lists, separated by commas: …,cpu_milli,memory_mib,num_gpu,gpu_milli[,gpu_spec]'),
    seeds: z.int().min(1).max(1_000).default(10).describe('runs, each with an order of arrival of its own'),
    published: z.boolean().default(true).describe('runs Random, BestFit and FGD too'),
    sold: z
      .boolean()
      .default(false)
      .describe(
        'requests as the market sells to them, whole GPUs of one model; runs what the matchmaker does too',
      ),
    trials: z.boolean().default(false).describe('runs FGD with BestFit ties and FGD with stranding too'),
  }),
  run: (options, context) => {
    const seeds = Array.from({ length: options.seeds }, (_, i) => i + 1);
    const figures: Record<string, number> = {};
    const peers: Record<string, number> = {};
    const ratios: Record<string, number> = {};
    for (const file of options.pods.split(',')) {
      const trace = readTrace(options.nodes, file, options.sold);
      const measure = (makers: Readonly<Record<string, Maker>>, into: Record<string, number>): void => {
        for (const [name, make] of Object.entries(makers)) {
          const runs = runSeeds(trace, make, seeds);
          tell(context, trace.name, name, runs);
          Object.assign(into, figuresOf(`${trace.name}.${name}`, runs));
        }
      };
      const bounds = seeds.map((seed) => {
        const { gpuCapacity } = new Cluster(trace.nodes);
        const arrivals = arrivalsOf(trace.pods, trace.shapes, gpuCapacity, seededRandom(seed));
        return boundAt100(trace.nodes, trace.shapes, arrivals);
      });
      context.progress(
        `${trace.name.padEnd(12)} ${'upper bound'.padEnd(15)} at 100 %: ${mean(bounds).toFixed(2)}`,
      );
      peers[`${trace.name}.boundPercentAt100`] = Number(mean(bounds).toFixed(3));
      measure(OURS, figures);
      if (options.sold) measure(SOLD, figures);
      if (options.published) measure(PUBLISHED, peers);
      if (options.trials) measure(TRIALS, peers);
      for (const name of Object.keys(options.sold ? { ...OURS, ...SOLD } : OURS)) {
        const ours = figures[`${trace.name}.${name}AllocatedPercentAt100`]!;
        ratios[`${trace.name}.${name}OverBound`] = rounded(ours / mean(bounds));
        const published = peers[`${trace.name}.fgdAllocatedPercentAt100`];
        if (published !== undefined) ratios[`${trace.name}.${name}OverFgd`] = rounded(ours / published);
      }
    }
    return Promise.resolve({ figures, peers, ratios });
  },
});
