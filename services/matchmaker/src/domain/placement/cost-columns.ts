import type { Cluster } from './cluster.ts';
import { slotStep } from './gang-places.ts';
import type { NodeWorth } from './node-worth.ts';
import { gpuDemand, type RequestShape, type ShapeId, WHOLE_GPU } from './request-shape.ts';
import type { ScarcityPrices } from './scarcity.ts';

/** Most cells of all columns together; the shape that was asked for longest ago makes room. */
const MAX_CELLS = 8_000_000;
const NEVER = 0xffff_ffff;

/** What one shape costs on each machine that could ever hold it, before prices. Infinity where it does not fit now. */
export type ShapeCosts = {
  readonly nodes: Int32Array;
  /** On a GPU that others use already, or on no GPU; and which GPU. */
  readonly shared: Float64Array;
  readonly sharedGpu: Int8Array;
  /** What becomes of its places for several GPUs: a `slotStep`. */
  readonly sharedStep: Uint16Array;
  readonly sharedRoomyStep: Uint16Array;
  /** On GPUs that nobody uses. */
  readonly fresh: Float64Array;
  readonly freshGpu: Int8Array;
  readonly freshStep: Uint16Array;
  readonly freshRoomyStep: Uint16Array;
};

type Columns = ShapeCosts & {
  readonly shape: RequestShape;
  /** Version of the node that the costs are of. */
  readonly seen: Uint32Array;
  worth: NodeWorth | null;
};

const nodesThatCould = (cluster: Cluster, shape: RequestShape): Int32Array => {
  const allowed = cluster.allowed(shape);
  const nodes: number[] = [];
  for (let node = 0; node < cluster.size; node += 1) {
    if (cluster.couldEverFit(node, shape, allowed)) nodes.push(node);
  }
  return Int32Array.from(nodes);
};

/**
 * Costs by shape and machine, kept from request to request: only machines that have changed since the shape was last asked
 * for are looked at again.
 */
export class CostColumns {
  /** Least recently used first. */
  private readonly byShape = new Map<ShapeId, Columns>();
  private cells = 0;
  /** Worth of each machine as it is, and the version that it is of. */
  private readonly worthNow: Float64Array;
  private readonly worthSeen: Uint32Array;
  private worthBy: NodeWorth | null = null;

  constructor(private readonly cluster: Cluster) {
    this.worthNow = new Float64Array(cluster.size);
    this.worthSeen = new Uint32Array(cluster.size);
  }

  private worthOf(node: number, worth: NodeWorth): number {
    if (this.worthBy !== worth) {
      this.worthBy = worth;
      this.worthSeen.fill(NEVER);
    }
    const now = this.cluster.version[node]!;
    if (this.worthSeen[node] !== now) {
      this.worthSeen[node] = now;
      this.worthNow[node] = worth.of(node);
    }
    return this.worthNow[node]!;
  }

  of(id: ShapeId, shape: RequestShape, worth: NodeWorth, prices: ScarcityPrices): ShapeCosts {
    let columns = this.byShape.get(id);
    if (columns) this.byShape.delete(id);
    else columns = this.make(shape);
    this.byShape.set(id, columns);
    if (columns.worth !== worth) {
      columns.seen.fill(NEVER);
      columns.worth = worth;
    }
    const { nodes, seen } = columns;
    const { version } = this.cluster;
    for (let i = 0; i < nodes.length; i += 1) {
      const now = version[nodes[i]!]!;
      if (seen[i] === now) continue;
      seen[i] = now;
      this.refresh(columns, i, worth, prices);
    }
    return columns;
  }

  private make(shape: RequestShape): Columns {
    const nodes = nodesThatCould(this.cluster, shape);
    const count = nodes.length;
    this.cells += count;
    for (const [oldest, { nodes: freed }] of this.byShape) {
      if (this.cells <= MAX_CELLS) break;
      this.byShape.delete(oldest);
      this.cells -= freed.length;
    }
    return {
      shape,
      nodes,
      shared: new Float64Array(count),
      sharedGpu: new Int8Array(count),
      sharedStep: new Uint16Array(count),
      sharedRoomyStep: new Uint16Array(count),
      fresh: new Float64Array(count),
      freshGpu: new Int8Array(count),
      freshStep: new Uint16Array(count),
      freshRoomyStep: new Uint16Array(count),
      seen: new Uint32Array(count).fill(NEVER),
      worth: null,
    };
  }

  private refresh(columns: Columns, i: number, worth: NodeWorth, prices: ScarcityPrices): void {
    const { cluster } = this;
    const { shape } = columns;
    const node = columns.nodes[i]!;
    columns.shared[i] = Infinity;
    columns.fresh[i] = Infinity;
    const cpuLeft = cluster.cpuFree[node]! - shape.cpuMillis;
    const memoryLeft = cluster.memoryFree[node]! - shape.memoryMiB;
    if (cpuLeft < 0 || memoryLeft < 0) return;
    const whole = cluster.wholeFree[node]!;
    const cell = worth.cellOf(cluster.modelOf[node]!, cpuLeft);
    const first = node * cluster.stride;
    const end = first + cluster.gpuCount[node]!;
    let free = 0;
    let kept = 0;
    for (let gpu = first; gpu < end; gpu += 1) {
      free += cluster.gpuFree[gpu]!;
      kept += worth.ofGpu(cell, cluster.gpuFree[gpu]!);
    }
    const before = this.worthOf(node, worth);
    const stranded = worth.stranded(free - gpuDemand(shape), cpuLeft, memoryLeft);
    const { places, roomyPlaces } = prices;
    const [cpu, memory] = [cluster.cpuFree[node]!, cluster.memoryFree[node]!];
    const slots = places.slots(whole, cpu, memory);
    const roomy = roomyPlaces.slots(whole, cpu, memory);
    const stepTo = (wholeLeft: number): number =>
      slotStep(slots, places.slots(wholeLeft, cpuLeft, memoryLeft));
    const roomyStepTo = (wholeLeft: number): number =>
      slotStep(roomy, roomyPlaces.slots(wholeLeft, cpuLeft, memoryLeft));
    const lossAt = (wholeLeft: number, gpuWorth: number): number =>
      before - (gpuWorth + worth.ofWhole(cell, wholeLeft) - stranded);

    if (shape.gpus === 0) {
      columns.shared[i] = lossAt(whole, kept);
      columns.sharedGpu[i] = -1;
      columns.sharedStep[i] = stepTo(whole);
      columns.sharedRoomyStep[i] = roomyStepTo(whole);
      return;
    }
    const whenWhole = worth.ofGpu(cell, WHOLE_GPU);
    if (whole >= shape.gpus) {
      const broken = shape.gpuThousandths === WHOLE_GPU ? shape.gpus : 1;
      const after = worth.ofGpu(cell, WHOLE_GPU - shape.gpuThousandths);
      columns.fresh[i] = lossAt(whole - broken, kept + broken * (after - whenWhole));
      columns.freshGpu[i] = cluster.tightestGpu(node, WHOLE_GPU);
      columns.freshStep[i] = stepTo(whole - broken);
      columns.freshRoomyStep[i] = roomyStepTo(whole - broken);
    }
    if (shape.gpuThousandths === WHOLE_GPU) return;
    let best = -Infinity;
    for (let gpu = first; gpu < end; gpu += 1) {
      const has = cluster.gpuFree[gpu]!;
      if (has < shape.gpuThousandths || has === WHOLE_GPU) continue;
      const change = worth.ofGpu(cell, has - shape.gpuThousandths) - worth.ofGpu(cell, has);
      if (change <= best) continue;
      best = change;
      columns.sharedGpu[i] = gpu - first;
    }
    if (best === -Infinity) return;
    columns.shared[i] = lossAt(whole, kept + best);
    columns.sharedStep[i] = stepTo(whole);
    columns.sharedRoomyStep[i] = roomyStepTo(whole);
  }
}
