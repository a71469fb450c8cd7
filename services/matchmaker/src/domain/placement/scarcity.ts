import type { Cluster } from './cluster.ts';
import { averagesOf, type Wanted } from './demand.ts';
import { demandingOf, GangPlaces, provident, scarcity } from './gang-places.ts';
import { gpuDemand, WHOLE_GPU } from './request-shape.ts';

/** Most sets of models that are watched; of more, those that most demand falls into. */
const MAX_MODEL_SETS = 128;
type ModelSet = {
  readonly models: Uint8Array;
  /** Share of GPU demand that can go nowhere else. */
  readonly share: number;
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

/** Sizes that machines are built for. */
const USUAL_GANGS = [2, 4, 8, 16] as const;

const gangsOf = (mix: readonly Wanted[]): Wanted[] => mix.filter(({ shape }) => shape.gpus > 1);

/**
 * Prices of what a mix of requests may run out of, from the demand that is still to come until the cluster is full against
 * what is left:
 * - GPU models, by Hall's condition: demand that only fits inside a set of models against what that set has free;
 * - whole machines: requests for n GPUs in one machine against how many such places there are, all requests against all
 *   places, and the most demanding against the places that will do for them.
 */
export class ScarcityPrices {
  /** Thousandths of GPU that are lost for each thousandth taken of the model. */
  readonly ofModel: Float64Array;
  /** Places for several GPUs. */
  readonly places: GangPlaces;
  /** Places for those that ask most beside them. */
  readonly roomyPlaces: GangPlaces;
  private sets: readonly ModelSet[] = [];
  private learntFrom = Infinity;

  /** @param certain the mix is known, and not only from a sample */
  constructor(
    mix: readonly Wanted[],
    private readonly cluster: Cluster,
    private readonly certain = true,
  ) {
    this.ofModel = new Float64Array(cluster.models.length);
    const gangs = gangsOf(mix);
    this.places = new GangPlaces(gangs, USUAL_GANGS);
    this.roomyPlaces = new GangPlaces(demandingOf(gangs));
    this.expect(mix);
  }

  /** The mix is this by now. What counts as a place for several GPUs stays as it was. */
  expect(mix: readonly Wanted[]): void {
    const total = Math.max(1, averagesOf(mix).gpuThousandths);
    this.learntFrom = this.certain ? Infinity : total;
    this.sets = modelSets(mix, this.cluster, total);
    const gangs = gangsOf(mix);
    this.places.expect(gangs, total, this.learntFrom);
    this.roomyPlaces.expect(demandingOf(gangs), total, this.learntFrom);
  }

  /** Sets the prices by what is free now. Cost: a pass over the machines for each kind of places. */
  refresh(): void {
    const { cluster } = this;
    const free = cluster.gpuFreeTotal;
    const ahead = free / this.learntFrom;
    this.ofModel.fill(0);
    for (const { models, share } of this.sets) {
      let supply = 0;
      for (let model = 0; model < models.length; model += 1) {
        if (models[model] === 1) supply += cluster.freeOfModel[model]!;
      }
      const price = scarcity(provident((share * free) / WHOLE_GPU, ahead) * WHOLE_GPU, supply);
      for (let model = 0; model < models.length; model += 1) {
        if (models[model] === 1 && price > this.ofModel[model]!) this.ofModel[model] = price;
      }
    }
    this.places.refresh(cluster);
    this.roomyPlaces.refresh(cluster);
  }
}
