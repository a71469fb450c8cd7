import type { Cluster } from './cluster.ts';
import { averagesOf, type Wanted } from './demand.ts';
import { gpuDemand, MAX_GPUS_PER_NODE, WHOLE_GPU } from './request-shape.ts';

/** Free slots of a machine for gangs: 0 to 16 whole GPUs. */
const SLOTS = MAX_GPUS_PER_NODE + 1;
/** Most sets of models that are watched; of more, those that most demand falls into. */
const MAX_MODEL_SETS = 128;
/** Where demand is this share of supply, a thing begins to have a price; where they are equal it has its full price. */
const PRICED_FROM = 0.7;

/** 0 while there is plenty, 1 when all that is left is spoken for, a straight line between. */
export const scarcity = (demand: number, supply: number): number => {
  if (demand <= 0) return 0;
  if (supply <= 0) return 1;
  return Math.min(1, Math.max(0, (demand / supply - PRICED_FROM) / (1 - PRICED_FROM)));
};

/** Demand to come is chance: one standard deviation of a Poisson count more than expected is provided for. */
const provident = (expectedCount: number): number => expectedCount + Math.sqrt(expectedCount);

type ModelSet = {
  readonly models: Uint8Array;
  /** Share of GPU demand that can go nowhere else. */
  readonly share: number;
};
type Gang = {
  readonly gpus: number;
  /** Requests a thousandth of GPU demand. */
  readonly perThousandth: number;
};

const modelSets = (mix: readonly Wanted[], cluster: Cluster, total: number): ModelSet[] => {
  const shares = new Map<bigint, number>();
  const all = (1n << BigInt(cluster.models.length)) - 1n;
  for (const { shape, weight } of mix) {
    if (shape.gpus === 0 || shape.models === null) continue;
    let mask = 0n;
    cluster.allowed(shape).forEach((yes, model) => (mask |= BigInt(yes) << BigInt(model)));
    if (mask !== 0n && mask !== all)
      shares.set(mask, (shares.get(mask) ?? 0) + (weight * gpuDemand(shape)) / total);
  }
  const single = [...shares.keys()];
  const sets = new Set(single);
  for (const a of single) for (const b of single) if ((a | b) !== all) sets.add(a | b);
  return [...sets]
    .map((mask) => ({
      mask,
      share: single.reduce((sum, part) => sum + ((part & ~mask) === 0n ? shares.get(part)! : 0), 0),
    }))
    .sort((a, b) => b.share - a.share || (a.mask < b.mask ? -1 : 1))
    .slice(0, MAX_MODEL_SETS)
    .map(({ mask, share }) => ({
      share,
      models: Uint8Array.from(cluster.models, (_, model) => Number((mask >> BigInt(model)) & 1n)),
    }));
};

/**
 * What a modest request for several GPUs asks beside each of them: three quarters of the GPUs so requested ask as much or
 * more. An average would be the wrong question: where it lies just above what a machine has, no machine would count.
 */
const modestPerSlot = (several: readonly Wanted[], amount: 'cpuMillis' | 'memoryMiB'): number => {
  const asked = several
    .map(({ shape, weight }) => ({ perGpu: shape[amount] / shape.gpus, gpus: weight * shape.gpus }))
    .sort((a, b) => a.perGpu - b.perGpu);
  const quarter = asked.reduce((sum, { gpus }) => sum + gpus, 0) / 4;
  let seen = 0;
  for (const { perGpu, gpus } of asked) {
    seen += gpus;
    if (seen >= quarter) return perGpu;
  }
  return 0;
};

/**
 * Prices of what a mix of requests may run out of, from the demand that is still to come until the cluster is full against
 * what is left:
 * - GPU models, by Hall's condition: demand that only fits inside a set of models against what that set has free;
 * - whole machines: requests for n GPUs in one machine against how many such places there are.
 */
export class ScarcityPrices {
  /** Thousandths of GPU that are lost for each thousandth taken of the model. */
  readonly ofModel: Float64Array;
  /** Thousandths lost when a machine's free slots fall from a to b, at a x 17 + b. */
  readonly ofSlots = new Float64Array(SLOTS * SLOTS);
  private readonly sets: readonly ModelSet[];
  private readonly gangs: readonly Gang[];
  private readonly cpuMillisPerSlot: number;
  private readonly memoryMiBPerSlot: number;

  constructor(
    mix: readonly Wanted[],
    private readonly cluster: Cluster,
  ) {
    this.ofModel = new Float64Array(cluster.models.length);
    const total = Math.max(1, averagesOf(mix).gpuThousandths);
    this.sets = modelSets(mix, cluster, total);
    const byGpus = new Map<number, number>();
    const several = mix.filter(({ shape }) => shape.gpus > 1);
    for (const { shape, weight } of several)
      byGpus.set(shape.gpus, (byGpus.get(shape.gpus) ?? 0) + weight / total);
    this.gangs = [...byGpus].map(([gpus, perThousandth]) => ({ gpus, perThousandth }));
    this.cpuMillisPerSlot = modestPerSlot(several, 'cpuMillis');
    this.memoryMiBPerSlot = modestPerSlot(several, 'memoryMiB');
  }

  /** Whole free GPUs with the CPU and memory beside them that a modest request for several asks. */
  slots(wholeFree: number, cpuFreeMillis: number, memoryFreeMiB: number): number {
    let slots = wholeFree;
    const { cpuMillisPerSlot: cpu, memoryMiBPerSlot: memory } = this;
    if (cpu > 0) slots = Math.min(slots, Math.floor(cpuFreeMillis / cpu));
    if (memory > 0) slots = Math.min(slots, Math.floor(memoryFreeMiB / memory));
    return slots;
  }

  /** Sets the prices by what is free now. Cost: one pass over the machines. */
  refresh(): void {
    const { cluster } = this;
    const free = cluster.gpuFreeTotal;
    this.ofModel.fill(0);
    for (const { models, share } of this.sets) {
      let supply = 0;
      for (let model = 0; model < models.length; model += 1) {
        if (models[model] === 1) supply += cluster.freeOfModel[model]!;
      }
      const price = scarcity(provident((share * free) / WHOLE_GPU) * WHOLE_GPU, supply);
      for (let model = 0; model < models.length; model += 1) {
        if (models[model] === 1 && price > this.ofModel[model]!) this.ofModel[model] = price;
      }
    }
    this.refreshSlots(free);
  }

  private refreshSlots(free: number): void {
    if (this.gangs.length === 0) return;
    const nodesWith = new Float64Array(SLOTS);
    for (let node = 0; node < this.cluster.size; node += 1) {
      const { wholeFree, cpuFree, memoryFree } = this.cluster;
      nodesWith[this.slots(wholeFree[node]!, cpuFree[node]!, memoryFree[node]!)]! += 1;
    }
    this.ofSlots.fill(0);
    for (const { gpus, perThousandth } of this.gangs) {
      const places = nodesWith.reduce((sum, nodes, slots) => sum + nodes * Math.floor(slots / gpus), 0);
      const price = scarcity(provident(perThousandth * free), places) * gpus * WHOLE_GPU;
      if (price === 0) continue;
      for (let before = gpus; before < SLOTS; before += 1) {
        for (let after = 0; after < before; after += 1) {
          this.ofSlots[before * SLOTS + after]! +=
            price * (Math.floor(before / gpus) - Math.floor(after / gpus));
        }
      }
    }
  }

  /** Where the loss from one number of slots to another stands in `ofSlots`. */
  static slotStep(before: number, after: number): number {
    return before * SLOTS + after;
  }
}
