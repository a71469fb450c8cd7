import { type Cluster, type RequestShape, type Wanted, WHOLE_GPU } from '@gridbourse/matchmaker/placement';

/** Share of all requests that the typical ones cover. */
const TYPICAL_SHARE = 0.95;

/** What is left of a machine. */
export type Left = {
  readonly model: string;
  readonly cpuMillis: number;
  readonly memoryMiB: number;
  /** Thousandths free of each GPU. */
  readonly gpus: readonly number[];
};

export const leftOf = (cluster: Cluster, node: number): Left => ({
  model: cluster.models[cluster.modelOf[node]!]!,
  cpuMillis: cluster.cpuFree[node]!,
  memoryMiB: cluster.memoryFree[node]!,
  gpus: [...cluster.gpuFree.subarray(node * cluster.stride, node * cluster.stride + cluster.gpuCount[node]!)],
});

/** Every way to put the request on the machine that differs: which GPU, and what is left then. */
export const placementsOn = (left: Left, shape: RequestShape): { gpu: number; after: Left }[] => {
  const rest = {
    model: left.model,
    cpuMillis: left.cpuMillis - shape.cpuMillis,
    memoryMiB: left.memoryMiB - shape.memoryMiB,
  };
  if (shape.gpus === 0) return [{ gpu: -1, after: { ...rest, gpus: left.gpus } }];
  if (shape.gpuThousandths === WHOLE_GPU) {
    let missing = shape.gpus;
    const gpus = left.gpus.map((free) => (free === WHOLE_GPU && missing-- > 0 ? 0 : free));
    return [{ gpu: -1, after: { ...rest, gpus } }];
  }
  return left.gpus.flatMap((free, gpu) => {
    if (free < shape.gpuThousandths || left.gpus.indexOf(free) < gpu) return [];
    return [{ gpu, after: { ...rest, gpus: left.gpus.with(gpu, free - shape.gpuThousandths) } }];
  });
};

/** The most frequent shapes that cover 95 % of the list, with their share. Memory tells shapes apart only if it is checked. */
export const typicalOf = (mix: readonly Wanted[], memory: boolean): Wanted[] => {
  const byKey = new Map<string, { shape: RequestShape; weight: number }>();
  for (const { shape, weight } of mix) {
    const { cpuMillis, gpus, gpuThousandths, models } = shape;
    const key = JSON.stringify([cpuMillis, gpus, gpuThousandths, models, memory && shape.memoryMiB]);
    const known = byKey.get(key);
    if (known) known.weight += weight;
    else byKey.set(key, { shape: memory ? shape : { ...shape, memoryMiB: 0 }, weight });
  }
  const sorted = [...byKey.values()].sort((a, b) => b.weight - a.weight);
  const all = sorted.reduce((sum, { weight }) => sum + weight, 0);
  const typical: Wanted[] = [];
  let covered = 0;
  for (const wanted of sorted) {
    if (covered >= TYPICAL_SHARE * all) break;
    typical.push(wanted);
    covered += wanted.weight;
  }
  return typical.map(({ shape, weight }) => ({ shape, weight: weight / covered }));
};

/** Thousandths of GPU that a random typical request could not use ("Beware of Fragmentation", section 3). */
export const fragmentation = (left: Left, typical: readonly Wanted[]): number => {
  const free = left.gpus.reduce((sum, gpu) => sum + gpu, 0);
  if (free === 0) return 0;
  let expected = 0;
  for (const { shape, weight } of typical) {
    let unusable = free;
    const room =
      shape.gpus > 0 &&
      left.cpuMillis >= shape.cpuMillis &&
      left.memoryMiB >= shape.memoryMiB &&
      (shape.models === null || shape.models.includes(left.model));
    if (room) {
      let count = 0;
      let small = 0;
      for (const gpu of left.gpus) {
        if (gpu >= shape.gpuThousandths) count += 1;
        else small += gpu;
      }
      if (count >= shape.gpus) unusable = small;
    }
    expected += weight * unusable;
  }
  return expected;
};
