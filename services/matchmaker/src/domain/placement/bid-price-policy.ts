import type { Random } from '@gridbourse/kernel';
import type { Choice, Cluster } from './cluster.ts';
import { CostColumns } from './cost-columns.ts';
import { Demand, type Wanted } from './demand.ts';
import { NodeWorth, WORTH_WEIGHTS } from './node-worth.ts';
import type { PlacementPolicy } from './policy.ts';
import type { ShapeId, ShapeTable } from './request-shape.ts';
import { ScarcityPrices } from './scarcity.ts';

/** The tables are made anew whenever there are half as many requests more than before, … */
const LEARNING_SHARE = 1 / 2;
/** … after so many requests when there are as many more, … */
const MANY_REQUESTS = 1_024;
/** … and at the latest after so many more. */
const MAX_LEARNING_STEP_REQUESTS = 4_096;
/** Prices follow what is free, once in so many requests. */
const REPRICE_EVERY_REQUESTS = 32;
/** … and what is asked for, which is quick to tell, whenever there are so many more requests than before. */
const EXPECT_ANEW_AFTER_SHARE = 1 / 16;
/** Costs closer than this many thousandths of GPU are the same. */
const TIE = 1e-6;

export type BidPriceOptions = {
  /** Breaks the ties that are left. */
  readonly random: Random;
  /** The mix, where it is known in advance; else it is learnt from arrivals. */
  readonly known?: readonly Wanted[];
};

/**
 * Places where the machine loses least of its worth to requests still to come (`NodeWorth`), and where the least is paid
 * for scarce models and whole machines (`ScarcityPrices`). Places whenever there is room.
 */
export class BidPricePolicy implements PlacementPolicy {
  private readonly demand: Demand;
  private readonly known: readonly Wanted[] | null;
  private readonly random: Random;
  private readonly columns: CostColumns;
  private worth: NodeWorth;
  private prices: ScarcityPrices;
  private arrivals = 0;
  private nextLearning = 1;
  private nextExpecting = 1;

  constructor(
    private readonly cluster: Cluster,
    private readonly shapes: ShapeTable,
    { random, known }: BidPriceOptions,
  ) {
    this.random = random;
    this.known = known ?? null;
    this.demand = new Demand(shapes);
    this.columns = new CostColumns(cluster);
    const mix = this.known ?? [];
    this.worth = new NodeWorth(mix, cluster, WORTH_WEIGHTS);
    this.prices = new ScarcityPrices(mix, cluster);
  }

  readonly arrived = (shape: ShapeId): void => {
    if (this.known === null) {
      this.demand.observe(shape);
      if (this.arrivals + 1 >= this.nextLearning) this.learn();
    }
    if (this.arrivals % REPRICE_EVERY_REQUESTS === 0) this.reprice();
    this.arrivals += 1;
  };

  private reprice(): void {
    if (this.known === null && this.arrivals >= this.nextExpecting) {
      this.prices.expect(this.demand.mix());
      this.nextExpecting = this.arrivals * (1 + EXPECT_ANEW_AFTER_SHARE);
    }
    this.prices.refresh();
  }

  private learn(): void {
    const mix = this.demand.mix();
    this.worth = new NodeWorth(mix, this.cluster, WORTH_WEIGHTS);
    this.prices = new ScarcityPrices(mix, this.cluster, false);
    this.prices.refresh();
    const share = this.nextLearning < MANY_REQUESTS ? LEARNING_SHARE : 1;
    this.nextLearning += Math.min(Math.ceil(this.nextLearning * share), MAX_LEARNING_STEP_REQUESTS);
  }

  readonly choose = (id: ShapeId): Choice | null => {
    const { cluster, prices } = this;
    const { loss } = prices.places;
    const { loss: roomyLoss } = prices.roomyPlaces;
    const shape = this.shapes.at(id);
    const costs = this.columns.of(id, shape, this.worth, prices);
    const taken = shape.gpus * shape.gpuThousandths;
    let best = Infinity;
    let chosen = -1;
    let onShared = false;
    let ties = 0;
    for (let i = 0; i < costs.nodes.length; i += 1) {
      const node = costs.nodes[i]!;
      const shared = costs.shared[i]! + loss[costs.sharedStep[i]!]! + roomyLoss[costs.sharedRoomyStep[i]!]!;
      const fresh = costs.fresh[i]! + loss[costs.freshStep[i]!]! + roomyLoss[costs.freshRoomyStep[i]!]!;
      const cost = Math.min(shared, fresh) + prices.ofModel[cluster.modelOf[node]!]! * taken;
      if (cost > best + TIE || cost === Infinity) continue;
      if (cost < best - TIE) ties = 0;
      ties += 1;
      if (ties > 1 && this.random.next() * ties >= 1) continue;
      if (ties === 1) best = cost;
      chosen = i;
      onShared = shared <= fresh;
    }
    if (chosen < 0) return null;
    return { node: costs.nodes[chosen]!, gpu: onShared ? costs.sharedGpu[chosen]! : costs.freshGpu[chosen]! };
  };
}
