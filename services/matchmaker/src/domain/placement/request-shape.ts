import { invalid } from '@gridbourse/kernel';

/** A whole GPU, in the thousandths that shares are asked in. */
export const WHOLE_GPU = 1_000;
/** Most GPUs in one machine. */
export const MAX_GPUS_PER_NODE = 16;
/** Most of any amount that a machine has or a request asks: what a 32-bit column holds. */
export const MAX_AMOUNT = 2 ** 31 - 1;

/** What one request takes of one machine. Requests that are alike share a shape. */
export type RequestShape = {
  readonly cpuMillis: number;
  readonly memoryMiB: number;
  /** 0 for a request that needs no GPU; all of them in one machine. */
  readonly gpus: number;
  /** Of each GPU: 1 to 1,000, and less than 1,000 only with one GPU; 0 without a GPU. */
  readonly gpuThousandths: number;
  /** GPU models that will do; null for any. */
  readonly models: readonly string[] | null;
};

/** Dense numbers, given in the order in which shapes are first seen. */
export type ShapeId = number;

/** Thousandths of a GPU that the request takes in all. */
export const gpuDemand = ({ gpus, gpuThousandths }: RequestShape): number => gpus * gpuThousandths;

const isAmount = (value: number): boolean => Number.isInteger(value) && value >= 0 && value <= MAX_AMOUNT;

/** @throws DomainError `impossible_shape` for what no machine could ever be asked. */
export const checkShape = (shape: RequestShape): void => {
  const { cpuMillis, memoryMiB, gpus, gpuThousandths, models } = shape;
  const refuse = (why: string) => invalid('impossible_shape', `${JSON.stringify(shape)}: ${why}`);
  if (!isAmount(cpuMillis)) throw refuse('CPU is no amount');
  if (!isAmount(memoryMiB)) throw refuse('memory is no amount');
  if (!isAmount(gpus) || gpus > MAX_GPUS_PER_NODE) throw refuse(`GPUs are 0 to ${MAX_GPUS_PER_NODE}`);
  if (!isAmount(gpuThousandths) || gpuThousandths > WHOLE_GPU) throw refuse(`a share is 0 to ${WHOLE_GPU}`);
  if ((gpus === 0) !== (gpuThousandths === 0)) throw refuse('a share belongs to a GPU');
  if (gpus > 1 && gpuThousandths < WHOLE_GPU) throw refuse('several GPUs are whole ones');
  if (models?.length === 0) throw refuse('no model would do');
};

/** The shapes seen so far, each once. */
export class ShapeTable {
  private readonly ids = new Map<string, ShapeId>();
  private readonly shapes: RequestShape[] = [];

  get size(): number {
    return this.shapes.length;
  }

  /** @throws DomainError `impossible_shape` */
  idOf(shape: RequestShape): ShapeId {
    const models = shape.gpus === 0 || shape.models === null ? null : [...new Set(shape.models)].sort();
    const key = `${shape.cpuMillis}/${shape.memoryMiB}/${shape.gpus}/${shape.gpuThousandths}/${models?.join('|') ?? '*'}`;
    const known = this.ids.get(key);
    if (known !== undefined) return known;
    checkShape(shape);
    const id = this.shapes.length;
    this.shapes.push(Object.freeze({ ...shape, models }));
    this.ids.set(key, id);
    return id;
  }

  /** @throws DomainError `unknown_shape` */
  at(id: ShapeId): RequestShape {
    const shape = this.shapes[id];
    if (!shape) throw invalid('unknown_shape', `there is no shape ${id}`);
    return shape;
  }
}
