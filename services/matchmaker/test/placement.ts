import { type Random, seededRandom } from '@gridbourse/kernel';
import fc from 'fast-check';
import { type Choice, type Cluster, type NodeSpec } from '../src/domain/placement/cluster.ts';
import { type RequestShape, WHOLE_GPU } from '../src/domain/placement/request-shape.ts';

const MODELS = ['a', 'b', 'c'];

export const anyNode: fc.Arbitrary<NodeSpec> = fc.record({
  cpuMillis: fc.integer({ min: 0, max: 24_000 }),
  memoryMiB: fc.integer({ min: 0, max: 64 }),
  gpus: fc.constantFrom(0, 1, 2, 4, 8),
  model: fc.constantFrom(...MODELS),
});

const anyModels = fc.option(fc.subarray([...MODELS, 'none'], { minLength: 1 }), { nil: null });
const cpuMillis = fc.constantFrom(0, 500, 1_000, 2_000, 4_000, 7_000);
const memoryMiB = fc.integer({ min: 0, max: 16 });

export const anyShape: fc.Arbitrary<RequestShape> = fc.oneof(
  fc.record({
    cpuMillis,
    memoryMiB,
    gpus: fc.constant(0),
    gpuThousandths: fc.constant(0),
    models: fc.constant(null),
  }),
  fc.record({
    cpuMillis,
    memoryMiB,
    gpus: fc.constant(1),
    gpuThousandths: fc.constantFrom(50, 190, 333, 470, 810, 999),
    models: anyModels,
  }),
  fc.record({
    cpuMillis,
    memoryMiB,
    gpus: fc.constantFrom(1, 2, 4, 8),
    gpuThousandths: fc.constant(WHOLE_GPU),
    models: anyModels,
  }),
);

/** What happens in a history: a request of one of the shapes, or the end of one that is placed. */
export type Step = { readonly kind: 'place' | 'remove'; readonly pick: number };

export const anySteps = (most: number): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.record({
      kind: fc.constantFrom('place' as const, 'place' as const, 'remove' as const),
      pick: fc.nat(10_000),
    }),
    { maxLength: most },
  );

export const lots = (): Random => seededRandom(7);

/** Every machine and GPU where the request has room, by the plainest reading of the rules. */
export const everyChoice = (cluster: Cluster, shape: RequestShape): Choice[] => {
  const choices: Choice[] = [];
  for (let node = 0; node < cluster.size; node += 1) {
    const gpus = [
      ...cluster.gpuFree.slice(node * cluster.stride, node * cluster.stride + cluster.gpuCount[node]!),
    ];
    const model = cluster.models[cluster.modelOf[node]!]!;
    if (cluster.cpuFree[node]! < shape.cpuMillis || cluster.memoryFree[node]! < shape.memoryMiB) continue;
    if (shape.gpus === 0) choices.push({ node, gpu: -1 });
    else if (shape.models !== null && !shape.models.includes(model)) continue;
    else if (gpus.filter((free) => free >= shape.gpuThousandths).length < shape.gpus) continue;
    else if (shape.gpuThousandths === WHOLE_GPU) choices.push({ node, gpu: -1 });
    else gpus.forEach((free, gpu) => free >= shape.gpuThousandths && choices.push({ node, gpu }));
  }
  return choices;
};

/** All that a cluster holds, for comparing bit by bit. */
export const columnsOf = (cluster: Cluster): Record<string, number[]> => ({
  cpu: [...cluster.cpuFree],
  memory: [...cluster.memoryFree],
  gpu: [...cluster.gpuFree],
  whole: [...cluster.wholeFree],
  ofModel: [...cluster.freeOfModel],
  total: [cluster.gpuFreeTotal],
});
