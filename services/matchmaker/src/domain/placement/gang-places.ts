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

/**
 * Demand to come is chance, and how much is asked for on average is only known from what has arrived: one standard deviation
 * more than expected is provided for, of a Poisson count whose rate is told by a sample (negative binomial).
 *
 * @param ahead how much is to come, as a multiple of what the rate was learnt from; 0 where it is certain
 */
export const provident = (expectedCount: number, ahead = 0): number =>
  expectedCount + Math.sqrt(expectedCount * (1 + ahead));

/** What is not known of a rate before anything has arrived, as so many requests (Jeffreys' prior of a Poisson rate). */
const PRIOR_REQUESTS = 0.5;
/** Of so many requests in a sample, chance hardly makes more of those to come than `provident` provides for. */
const ENOUGH_REQUESTS = 50;

/**
 * How likely it is that at least so many requests are to come: negative binomial, as `provident` has it.
 * @param seen how many have arrived
 * @param ahead how much is to come, as a multiple of what has arrived
 * @param places so many requests or more
 */
export const chanceOf = (seen: number, ahead: number, places: number): number => {
  if (seen > ENOUGH_REQUESTS) return 0;
  const shape = seen + PRIOR_REQUESTS;
  const next = ahead / (1 + ahead);
  let exactly = (1 + ahead) ** -shape;
  let fewer = 0;
  for (let count = 0; count < places; count += 1) {
    fewer += exactly;
    exactly *= ((count + shape) / (count + 1)) * next;
  }
  return Math.max(0, 1 - fewer);
};

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
  private learntFrom = Infinity;
  private readonly cpuMillisPerSlot: number;
  private readonly memoryMiBPerSlot: number;

  /** @param usual sizes in GPUs that may be asked for although nobody has yet */
  constructor(
    gangs: readonly Wanted[],
    private readonly usual: readonly number[] = [],
  ) {
    // A modest request: three quarters ask as much or more. An average would be the wrong question: where it lies just
    // above what a machine has, no machine would count.
    this.cpuMillisPerSlot = quantilePerGpu(gangs, 'cpuMillis', 0.25);
    this.memoryMiBPerSlot = quantilePerGpu(gangs, 'memoryMiB', 0.25);
  }

  /**
   * How many such requests are to be expected. What counts as a place for them stays as it is.
   * @param total thousandths of GPU that the whole mix asks
   * @param learntFrom thousandths of GPU that the mix was learnt from; infinite where it is certain
   */
  expect(gangs: readonly Wanted[], total: number, learntFrom: number): void {
    this.perThousandth.clear();
    for (const { shape, weight } of gangs)
      this.perThousandth.set(shape.gpus, (this.perThousandth.get(shape.gpus) ?? 0) + weight / total);
    this.learntFrom = learntFrom;
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
    this.loss.fill(0);
    const certain = this.learntFrom === Infinity;
    const sizes = new Set([...this.perThousandth.keys(), ...(certain ? [] : this.usual)]);
    if (sizes.size === 0) return;
    const nodesWith = new Float64Array(SLOTS);
    for (let node = 0; node < size; node += 1)
      nodesWith[this.slots(wholeFree[node]!, cpuFree[node]!, memoryFree[node]!)]! += 1;
    const ahead = gpuFreeTotal / this.learntFrom;
    for (const gpus of sizes) {
      const perThousandth = this.perThousandth.get(gpus) ?? 0;
      const places = nodesWith.reduce((sum, nodes, slots) => sum + nodes * Math.floor(slots / gpus), 0);
      const short = scarcity(provident(perThousandth * gpuFreeTotal, ahead), places);
      const chance = certain ? 0 : chanceOf(perThousandth * this.learntFrom, ahead, places);
      const price = Math.max(short, chance) * gpus * WHOLE_GPU;
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
