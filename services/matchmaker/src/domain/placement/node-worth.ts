import type { Cluster } from './cluster.ts';
import { type Averages, averagesOf, type Wanted } from './demand.ts';
import { priceGpuPacking } from './gpu-packing.ts';
import { MAX_GPUS_PER_NODE, WHOLE_GPU } from './request-shape.ts';

/** Most steps of CPU that are told apart when asking which requests still fit. */
const MAX_CPU_STEPS = 32;
const ROW = WHOLE_GPU + 1;
const SLOTS = MAX_GPUS_PER_NODE + 1;

/** How much each part of a machine's worth counts, in GPU thousandths a thousandth. */
export type WorthWeights = {
  /** The best that still fits in each GPU, by the prices of the packing program. */
  readonly fill: number;
  /** GPU that the next request could use: one less the fragmentation of FGD. */
  readonly usable: number;
  /** GPU that has not the CPU or memory beside it which demand brings on average. */
  readonly stranded: number;
};

export const WORTH_WEIGHTS: WorthWeights = { fill: 4, usable: 0.4, stranded: 1 };

/** CPU demands that split the requests with a GPU into parts of about equal weight, smallest first. */
const cpuSteps = (mix: readonly Wanted[]): Float64Array => {
  const sorted = mix
    .filter(({ shape }) => shape.gpus > 0)
    .sort((a, b) => a.shape.cpuMillis - b.shape.cpuMillis);
  const distinct = [...new Set(sorted.map(({ shape }) => shape.cpuMillis))];
  if (distinct.length <= MAX_CPU_STEPS) return Float64Array.from(distinct);
  const total = sorted.reduce((sum, { weight }) => sum + weight, 0);
  const steps = new Set<number>();
  let seen = 0;
  for (const { shape, weight } of sorted) {
    seen += weight;
    if (seen >= ((steps.size + 1) * total) / MAX_CPU_STEPS) steps.add(shape.cpuMillis);
  }
  return Float64Array.from(steps);
};

const gpuPieces = (mix: readonly Wanted[], scale: number) => {
  const counts = new Map<number, number>();
  for (const { shape, weight } of mix) {
    if (shape.gpus === 0) continue;
    // Sizes that are no whole hundredth count as the next one: the table of a GPU keeps a hundred cells.
    const size = Math.ceil(shape.gpuThousandths / 10) * 10;
    counts.set(size, (counts.get(size) ?? 0) + weight * shape.gpus * scale);
  }
  return [...counts]
    .sort(([a], [b]) => a - b)
    .map(([size, count]) => ({ size, count, allowed: Uint8Array.of(1) }));
};

/**
 * What a machine in a given state is worth to the requests that are to come, in thousandths of GPU: the sum over its GPUs of
 * what may still be filled, less what is stranded. Tables, so that a question costs one look-up per GPU.
 */
export class NodeWorth {
  readonly averages: Averages;
  private readonly steps: Float64Array;
  /** Worth of one GPU, at (model x steps + step) x 1001 + thousandths free. */
  private readonly gpuWorth: Float64Array;
  /** Worth of n whole GPUs for requests of several, at (model x steps + step) x 17 + n. */
  private readonly gangWorth: Float64Array;
  private readonly rows: number;

  constructor(
    mix: readonly Wanted[],
    private readonly cluster: Cluster,
    private readonly weights: WorthWeights,
  ) {
    this.averages = averagesOf(mix);
    this.steps = cpuSteps(mix);
    this.rows = this.steps.length + 1;
    const cells = cluster.models.length * this.rows;
    this.gpuWorth = new Float64Array(cells * ROW);
    this.gangWorth = new Float64Array(cells * SLOTS);
    this.addUsable(mix);
    this.addFill(mix);
  }

  private addUsable(mix: readonly Wanted[]): void {
    const total = mix.reduce((sum, { weight }) => sum + weight, 0);
    for (const { shape, weight } of mix) {
      if (shape.gpus === 0) continue;
      const allowed = this.cluster.allowed(shape);
      const share = (this.weights.usable * weight) / total;
      for (let model = 0; model < allowed.length; model += 1) {
        if (allowed[model] === 0) continue;
        for (let row = this.rowOf(shape.cpuMillis); row < this.rows; row += 1) {
          const cell = model * this.rows + row;
          if (shape.gpus === 1) this.gpuWorth[cell * ROW + shape.gpuThousandths]! += share;
          else
            for (let n = shape.gpus; n < SLOTS; n += 1)
              this.gangWorth[cell * SLOTS + n]! += share * n * WHOLE_GPU;
        }
      }
    }
    // From "requests of exactly this share" to "free thousandths x requests of at most this share".
    for (let start = 0; start < this.gpuWorth.length; start += ROW) {
      let fitting = 0;
      for (let free = 0; free < ROW; free += 1) {
        fitting += this.gpuWorth[start + free]!;
        this.gpuWorth[start + free] = fitting * free;
      }
    }
  }

  private addFill(mix: readonly Wanted[]): void {
    const { gpuThousandths } = this.averages;
    if (gpuThousandths === 0) return;
    const { gpuCapacity } = this.cluster;
    const pieces = gpuPieces(mix, gpuCapacity / gpuThousandths);
    const fill = priceGpuPacking(pieces, [gpuCapacity / WHOLE_GPU]).fillWorth[0]!;
    for (let i = 0; i < this.gpuWorth.length; i += 1) this.gpuWorth[i]! += this.weights.fill * fill[i % ROW]!;
  }

  private rowOf(cpuFreeMillis: number): number {
    const { steps } = this;
    let low = 0;
    let high = steps.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (steps[middle]! <= cpuFreeMillis) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Where the tables stand for a model with that much CPU beside it; goes into the other questions. */
  cellOf(model: number, cpuFreeMillis: number): number {
    return model * this.rows + this.rowOf(cpuFreeMillis);
  }

  ofGpu(cell: number, thousandthsFree: number): number {
    return this.gpuWorth[cell * ROW + thousandthsFree]!;
  }

  ofWhole(cell: number, wholeFree: number): number {
    return this.gangWorth[cell * SLOTS + wholeFree]!;
  }

  /** Worth lost because GPU has not its average CPU or memory beside it, whichever is shorter. */
  stranded(gpuFreeThousandths: number, cpuFreeMillis: number, memoryFreeMiB: number): number {
    const { cpuMillisPerThousandth: cpu, memoryMiBPerThousandth: memory } = this.averages;
    const served = Math.min(
      cpu > 0 ? cpuFreeMillis / cpu : Infinity,
      memory > 0 ? memoryFreeMiB / memory : Infinity,
    );
    return this.weights.stranded * Math.max(0, gpuFreeThousandths - served);
  }

  /** Of a machine as it is now. */
  of(node: number): number {
    const { cluster } = this;
    const cell = this.cellOf(cluster.modelOf[node]!, cluster.cpuFree[node]!);
    let worth = this.ofWhole(cell, cluster.wholeFree[node]!);
    let free = 0;
    for (let i = node * cluster.stride; i < (node + 1) * cluster.stride; i += 1) {
      free += cluster.gpuFree[i]!;
      worth += this.ofGpu(cell, cluster.gpuFree[i]!);
    }
    return worth - this.stranded(free, cluster.cpuFree[node]!, cluster.memoryFree[node]!);
  }
}
