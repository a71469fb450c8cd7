import { conflict, invalid } from '@gridbourse/kernel';
import { gpuDemand, MAX_AMOUNT, MAX_GPUS_PER_NODE, type RequestShape, WHOLE_GPU } from './request-shape.ts';

/** A machine as it is declared, empty. */
export type NodeSpec = {
  readonly cpuMillis: number;
  readonly memoryMiB: number;
  readonly gpus: number;
  /** Of all its GPUs. */
  readonly model: string;
};

/** What a placed request holds; hand it back to `remove` as it is. */
export type Placement = {
  readonly node: number;
  readonly shape: RequestShape;
  /** Bit i is set when the request has GPU i of the node. */
  readonly gpuMask: number;
};

/** Where a request would go. `gpu` says which GPU a share goes to; whole GPUs are taken from the lowest number up. */
export type Choice = { readonly node: number; readonly gpu: number };

const isAmount = (value: number, most: number): boolean =>
  Number.isInteger(value) && value >= 0 && value <= most;

const checkNode = (spec: NodeSpec): void => {
  if (
    !isAmount(spec.cpuMillis, MAX_AMOUNT) ||
    !isAmount(spec.memoryMiB, MAX_AMOUNT) ||
    !isAmount(spec.gpus, MAX_GPUS_PER_NODE)
  ) {
    throw invalid('impossible_node', `no machine is ${JSON.stringify(spec)}`);
  }
};

/**
 * What is free on every machine, in columns. All amounts are whole numbers and every change is checked before the first
 * column is written, so that a refused change leaves nothing behind.
 */
export class Cluster {
  readonly size: number;
  /** GPUs have `stride` cells a node. */
  readonly stride: number;
  readonly models: readonly string[];
  readonly modelOf: Uint16Array;
  readonly gpuCount: Uint8Array;
  readonly cpuFree: Int32Array;
  readonly memoryFree: Int32Array;
  /** Thousandths free of GPU i of node n, at n x stride + i; 0 where the node has no such GPU. */
  readonly gpuFree: Uint16Array;
  /** GPUs of the node that nobody uses. */
  readonly wholeFree: Uint8Array;
  /** Goes up with every change of the node: what was derived from an older version is stale. */
  readonly version: Uint32Array;
  /** Thousandths of GPU free, per model. */
  readonly freeOfModel: Float64Array;
  readonly gpuCapacity: number;
  readonly cpuCapacity: number;
  readonly memoryCapacity: number;
  private free: number;
  private readonly live = new Set<Placement>();
  private readonly declared: readonly NodeSpec[];
  private readonly modelIndex: ReadonlyMap<string, number>;

  /** @throws DomainError `impossible_node` */
  constructor(nodes: readonly NodeSpec[]) {
    nodes.forEach(checkNode);
    this.declared = nodes;
    this.size = nodes.length;
    this.stride = Math.max(1, ...nodes.map(({ gpus }) => gpus));
    this.models = [...new Set(nodes.map(({ model }) => model))].sort();
    this.modelIndex = new Map(this.models.map((model, index) => [model, index]));
    this.modelOf = Uint16Array.from(nodes, ({ model }) => this.modelIndex.get(model)!);
    this.gpuCount = Uint8Array.from(nodes, ({ gpus }) => gpus);
    this.cpuFree = Int32Array.from(nodes, ({ cpuMillis }) => cpuMillis);
    this.memoryFree = Int32Array.from(nodes, ({ memoryMiB }) => memoryMiB);
    this.wholeFree = Uint8Array.from(this.gpuCount);
    this.version = new Uint32Array(this.size);
    this.gpuFree = new Uint16Array(this.size * this.stride);
    this.freeOfModel = new Float64Array(this.models.length);
    nodes.forEach(({ gpus }, node) => {
      this.gpuFree.fill(WHOLE_GPU, node * this.stride, node * this.stride + gpus);
      this.freeOfModel[this.modelOf[node]!]! += gpus * WHOLE_GPU;
    });
    this.gpuCapacity = nodes.reduce((total, { gpus }) => total + gpus * WHOLE_GPU, 0);
    this.cpuCapacity = nodes.reduce((total, { cpuMillis }) => total + cpuMillis, 0);
    this.memoryCapacity = nodes.reduce((total, { memoryMiB }) => total + memoryMiB, 0);
    this.free = this.gpuCapacity;
  }

  /** Thousandths of GPU that nobody uses. */
  get gpuFreeTotal(): number {
    return this.free;
  }

  get placements(): ReadonlySet<Placement> {
    return this.live;
  }

  /** 1 for each model that will do, by the model's number. */
  allowed({ models }: RequestShape): Uint8Array {
    const allowed = new Uint8Array(this.models.length);
    if (models === null) return allowed.fill(1);
    for (const model of models) {
      const index = this.modelIndex.get(model);
      if (index !== undefined) allowed[index] = 1;
    }
    return allowed;
  }

  /** GPU of the node that the share fits most tightly; -1 when none has room. */
  tightestGpu(node: number, gpuThousandths: number): number {
    let best = -1;
    for (let gpu = 0; gpu < this.gpuCount[node]!; gpu += 1) {
      const free = this.gpuFree[node * this.stride + gpu]!;
      if (free < gpuThousandths) continue;
      if (best < 0 || free < this.gpuFree[node * this.stride + best]!) best = gpu;
    }
    return best;
  }

  /** When the machine was empty. */
  couldEverFit(node: number, shape: RequestShape, allowed: Uint8Array): boolean {
    const spec = this.declared[node]!;
    if (spec.cpuMillis < shape.cpuMillis || spec.memoryMiB < shape.memoryMiB) return false;
    return shape.gpus === 0 || (spec.gpus >= shape.gpus && allowed[this.modelOf[node]!] === 1);
  }

  fits(node: number, shape: RequestShape): boolean {
    if (!(node >= 0 && node < this.size)) return false;
    if (this.cpuFree[node]! < shape.cpuMillis || this.memoryFree[node]! < shape.memoryMiB) return false;
    if (shape.gpus === 0) return true;
    if (shape.models !== null && !shape.models.includes(this.models[this.modelOf[node]!]!)) return false;
    return shape.gpuThousandths === WHOLE_GPU
      ? this.wholeFree[node]! >= shape.gpus
      : this.tightestGpu(node, shape.gpuThousandths) >= 0;
  }

  private maskFor({ node, gpu }: Choice, shape: RequestShape): number {
    if (shape.gpus === 0) return 0;
    const base = node * this.stride;
    if (shape.gpuThousandths < WHOLE_GPU) {
      const fits =
        gpu >= 0 && gpu < this.gpuCount[node]! && this.gpuFree[base + gpu]! >= shape.gpuThousandths;
      if (!fits) throw conflict('does_not_fit', `GPU ${gpu} of node ${node} has no such share free`);
      return 1 << gpu;
    }
    let mask = 0;
    for (let i = 0, left = shape.gpus; left > 0 && i < this.stride; i += 1) {
      if (this.gpuFree[base + i] !== WHOLE_GPU) continue;
      mask |= 1 << i;
      left -= 1;
    }
    return mask;
  }

  /** @throws DomainError `does_not_fit`, and then nothing has changed */
  place(choice: Choice, shape: RequestShape): Placement {
    const { node } = choice;
    if (!this.fits(node, shape)) throw conflict('does_not_fit', `node ${node} has no room for the request`);
    const placement: Placement = { node, shape, gpuMask: this.maskFor(choice, shape) };
    this.apply(placement, -1);
    this.live.add(placement);
    return placement;
  }

  /** @throws DomainError `not_placed` for what is not held now, and then nothing has changed */
  remove(placement: Placement): void {
    if (!this.live.has(placement))
      throw conflict('not_placed', `node ${placement.node} does not hold that request`);
    this.live.delete(placement);
    this.apply(placement, 1);
  }

  private apply({ node, shape, gpuMask }: Placement, sign: 1 | -1): void {
    this.cpuFree[node]! += sign * shape.cpuMillis;
    this.memoryFree[node]! += sign * shape.memoryMiB;
    for (let gpu = 0; gpuMask >> gpu > 0; gpu += 1) {
      if (((gpuMask >> gpu) & 1) === 0) continue;
      const cell = node * this.stride + gpu;
      const before = this.gpuFree[cell]!;
      const after = before + sign * shape.gpuThousandths;
      this.gpuFree[cell] = after;
      if (before === WHOLE_GPU) this.wholeFree[node]! -= 1;
      if (after === WHOLE_GPU) this.wholeFree[node]! += 1;
    }
    const gpus = sign * gpuDemand(shape);
    this.free += gpus;
    this.freeOfModel[this.modelOf[node]!]! += gpus;
    this.version[node]! += 1;
  }

  /** What is free, derived anew from what is declared and what is placed; equals the columns, or something is wrong. */
  derivedFree(): { cpu: Int32Array; memory: Int32Array; gpu: Uint16Array } {
    const cpu = Int32Array.from(this.declared, ({ cpuMillis }) => cpuMillis);
    const memory = Int32Array.from(this.declared, ({ memoryMiB }) => memoryMiB);
    const gpu = new Uint16Array(this.gpuFree.length);
    this.declared.forEach(({ gpus }, node) =>
      gpu.fill(WHOLE_GPU, node * this.stride, node * this.stride + gpus),
    );
    for (const { node, shape, gpuMask } of this.live) {
      cpu[node]! -= shape.cpuMillis;
      memory[node]! -= shape.memoryMiB;
      for (let i = 0; i < this.stride; i += 1) {
        if ((gpuMask >> i) & 1) gpu[node * this.stride + i]! -= shape.gpuThousandths;
      }
    }
    return { cpu, memory, gpu };
  }
}
