import type { Cluster } from './cluster.ts';
import type { Wanted } from './demand.ts';
import { MAX_GPUS_PER_NODE, WHOLE_GPU } from './request-shape.ts';

/** Free slots of a machine for gangs: 0 to 16 whole GPUs. */
const SLOTS = MAX_GPUS_PER_NODE + 1;
/** Where demand is this share of supply, a thing begins to have a price; where they are equal it has its full price. */
const PRICED_FROM = 0.7;

/** 0 while there is plenty, 1 when all that is left is spoken for, a straight line between. */
export const scarcity = (demand: number, supply: number): number => {
  if (demand <= 0) return 0;
  if (supply <= 0) return 1;
  return Math.min(1, Math.max(0, (demand / supply - PRICED_FROM) / (1 - PRICED_FROM)));
};

/** Demand to come is chance: one standard deviation of a Poisson count more than expected is provided for. */
export const provident = (expectedCount: number): number => expectedCount + Math.sqrt(expectedCount);

type Amount = 'cpuMillis' | 'memoryMiB';
const perGpu = ({ shape }: Wanted, amount: Amount): number => shape[amount] / shape.gpus;

/** What the requests up to this share of their GPUs ask beside each GPU, those that ask least first. 0 of no requests. */
const quantilePerGpu = (gangs: readonly Wanted[], amount: Amount, share: number): number => {
  const sorted = [...gangs].sort((a, b) => perGpu(a, amount) - perGpu(b, amount));
  const gpus = ({ shape, weight }: Wanted): number => weight * shape.gpus;
  const enough = sorted.reduce((sum, gang) => sum + gpus(gang), 0) * share;
  let seen = 0;
  for (const gang of sorted) {
    seen += gpus(gang);
    if (seen >= enough) return perGpu(gang, amount);
  }
  return 0;
};

/** Of the requests for several GPUs those that ask most CPU beside each: the last tenth of the GPUs, and who asks as much. */
export const demandingOf = (gangs: readonly Wanted[]): Wanted[] => {
  const edge = quantilePerGpu(gangs, 'cpuMillis', 0.9);
  return gangs.filter((gang) => perGpu(gang, 'cpuMillis') >= edge);
};

/** Where the loss from one number of slots to another stands in `GangPlaces.loss`. */
export const slotStep = (before: number, after: number): number => before * SLOTS + after;

/** Places in one machine for some requests for several GPUs, and what they are worth while these requests may run short. */
export class GangPlaces {
  /** Thousandths lost when a machine's free slots fall from a to b, at `slotStep(a, b)`. */
  readonly loss = new Float64Array(SLOTS * SLOTS);
  /** Requests a thousandth of all GPU demand, by the GPUs that they ask. */
  private readonly perThousandth = new Map<number, number>();
  private readonly cpuMillisPerSlot: number;
  private readonly memoryMiBPerSlot: number;

  /** @param total thousandths of GPU that the whole mix asks */
  constructor(gangs: readonly Wanted[], total: number) {
    for (const { shape, weight } of gangs)
      this.perThousandth.set(shape.gpus, (this.perThousandth.get(shape.gpus) ?? 0) + weight / total);
    // A modest request: three quarters ask as much or more. An average would be the wrong question: where it lies just
    // above what a machine has, no machine would count.
    this.cpuMillisPerSlot = quantilePerGpu(gangs, 'cpuMillis', 0.25);
    this.memoryMiBPerSlot = quantilePerGpu(gangs, 'memoryMiB', 0.25);
  }

  /** Whole free GPUs with the CPU and memory beside them that a modest request of these asks. */
  slots(wholeFree: number, cpuFreeMillis: number, memoryFreeMiB: number): number {
    let slots = wholeFree;
    const { cpuMillisPerSlot: cpu, memoryMiBPerSlot: memory } = this;
    if (cpu > 0) slots = Math.min(slots, Math.floor(cpuFreeMillis / cpu));
    if (memory > 0) slots = Math.min(slots, Math.floor(memoryFreeMiB / memory));
    return slots;
  }

  /** Sets the losses by what is free now. Cost: one pass over the machines. */
  refresh({ size, wholeFree, cpuFree, memoryFree, gpuFreeTotal }: Cluster): void {
    if (this.perThousandth.size === 0) return;
    const nodesWith = new Float64Array(SLOTS);
    for (let node = 0; node < size; node += 1)
      nodesWith[this.slots(wholeFree[node]!, cpuFree[node]!, memoryFree[node]!)]! += 1;
    this.loss.fill(0);
    for (const [gpus, perThousandth] of this.perThousandth) {
      const places = nodesWith.reduce((sum, nodes, slots) => sum + nodes * Math.floor(slots / gpus), 0);
      const price = scarcity(provident(perThousandth * gpuFreeTotal), places) * gpus * WHOLE_GPU;
      if (price === 0) continue;
      for (let before = gpus; before < SLOTS; before += 1) {
        for (let after = 0; after < before; after += 1) {
          this.loss[slotStep(before, after)]! +=
            price * (Math.floor(before / gpus) - Math.floor(after / gpus));
        }
      }
    }
  }
}
