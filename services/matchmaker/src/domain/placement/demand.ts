import { gpuDemand, type RequestShape, type ShapeId, type ShapeTable } from './request-shape.ts';

/** Beyond this many observed requests the older ones count half: the mix of yesterday is forgotten by and by. */
const MEMORY_REQUESTS = 2 ** 15;

/** A shape with the weight that it has in the mix. */
export type Wanted = { readonly shape: RequestShape; readonly weight: number };

/** The mix of requests: learnt as they arrive, or from a list that is known in advance. */
export class Demand {
  private weights: number[] = [];
  private total = 0;

  constructor(private readonly shapes: ShapeTable) {}

  /** Requests observed, older ones with less weight. */
  get observed(): number {
    return this.total;
  }

  observe(shape: ShapeId): void {
    while (this.weights.length <= shape) this.weights.push(0);
    this.weights[shape]! += 1;
    this.total += 1;
    if (this.total < MEMORY_REQUESTS) return;
    this.weights = this.weights.map((weight) => weight / 2);
    this.total /= 2;
  }

  mix(): Wanted[] {
    return this.weights.flatMap((weight, id) => (weight > 0 ? [{ shape: this.shapes.at(id), weight }] : []));
  }
}

/** What an average thousandth of GPU in the mix comes with, and how many thousandths there are. */
export type Averages = {
  readonly gpuThousandths: number;
  readonly cpuMillisPerThousandth: number;
  readonly memoryMiBPerThousandth: number;
};

/** Requests without a GPU count: their CPU and memory come from the same machines. */
export const averagesOf = (mix: readonly Wanted[]): Averages => {
  let gpu = 0;
  let cpu = 0;
  let memory = 0;
  for (const { shape, weight } of mix) {
    gpu += weight * gpuDemand(shape);
    cpu += weight * shape.cpuMillis;
    memory += weight * shape.memoryMiB;
  }
  return {
    gpuThousandths: gpu,
    cpuMillisPerThousandth: gpu > 0 ? cpu / gpu : 0,
    memoryMiBPerThousandth: gpu > 0 ? memory / gpu : 0,
  };
};
