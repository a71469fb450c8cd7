import {
  findGpu,
  listPriceMicrosPerGpuHour,
  migCompute,
  migMemoryMiB,
  nominalVramMiB,
  priceOfUnit,
  rttBetweenMs,
  type RttEnd,
  rttEnd,
  throughput,
  unitShare,
  WORKLOAD_CLASSES,
  type WorkloadClass,
} from '@gridbourse/catalog';
import type { GpuSharing, OfferGpu } from '@gridbourse/events';
import type { GeoPoint, Micros } from '@gridbourse/kernel';

/** The facts that matching takes from the catalogue, in the form in which it needs them. */

/** The facts never change and the same few are asked for at every offer: remembered, up to a limit. */
const MAX_REMEMBERED = 10_000;
const remember = <Key extends string | number, Fact>(find: (key: Key) => Fact): ((key: Key) => Fact) => {
  const known = new Map<Key, Fact>();
  return (key) => {
    const before = known.get(key);
    if (before !== undefined) return before;
    const fact = find(key);
    if (known.size >= MAX_REMEMBERED) known.clear();
    known.set(key, fact);
    return fact;
  };
};

const modelOf = remember((name: string) => findGpu(name));

const throughputByName = remember((key: string): number => {
  const [name, vramMiB, bus, workload] = key.split('|') as [
    string,
    string,
    'pcie' | 'sxm' | '',
    WorkloadClass,
  ];
  const model = modelOf(name);
  const known = { vramMiB: vramMiB === '' ? null : Number(vramMiB), interface: bus === '' ? null : bus };
  return model ? throughput(model, workload, known) : 0;
});

type Gpu = { model: string; vramMiB?: number; interface?: 'pcie' | 'sxm'; sharing?: GpuSharing };

/** Of the compute of a whole GPU what one unit that is sold has, in (0, 1]. */
const shareOf = ({ model, vramMiB = 0, sharing }: Gpu): number =>
  sharing ? unitShare({ model, vramMiB }, sharing).compute : 1;

/**
 * How far a MIG profile is from another of the same model, in doublings of compute and of memory together, and whether it
 * falls short of it in either.
 */
export const profileStep = (
  model: string,
  from: string,
  to: string,
): { readonly doublings: number; readonly less: boolean } => {
  const steps = [
    Math.log2(migCompute(model, to) / migCompute(model, from)),
    Math.log2((migMemoryMiB(to) ?? 1) / (migMemoryMiB(from) ?? 1)),
  ];
  return {
    doublings: steps.reduce((sum, step) => sum + Math.abs(step), 0),
    less: steps.some((step) => step < 0),
  };
};

/** The GPUs of offers stay the same objects as long as the offer is not changed: found without making a key. */
const throughputOfGpu = new Map<WorkloadClass, WeakMap<Gpu, number>>(
  WORKLOAD_CLASSES.map((workload) => [workload, new WeakMap()]),
);

/**
 * Relative throughput of one unit that is sold: of the GPU (an A100 SXM4 80 GB is 1), times the unit's share of it; 0 when
 * nothing is known of the model.
 */
export const gpuThroughput = (gpu: Gpu, workload: WorkloadClass = 'general'): number => {
  const known = throughputOfGpu.get(workload)!;
  const before = known.get(gpu);
  if (before !== undefined) return before;
  const found =
    throughputByName(`${gpu.model}|${gpu.vramMiB ?? ''}|${gpu.interface ?? ''}|${workload}`) * shareOf(gpu);
  known.set(gpu, found);
  return found;
};

/** The VRAM that a reported or asked figure means (drivers report a little less than the box says). */
export const nominalVram = (modelId: string, vramMiB: number): number => {
  const model = modelOf(modelId);
  return (model && nominalVramMiB(model, vramMiB)) ?? vramMiB;
};

const endOf = remember((key: string): RttEnd => {
  const [latitude, longitude] = key.split('|').map(Number) as [number, number];
  return rttEnd({ latitude, longitude });
});

const endOfPoint = new WeakMap<GeoPoint, RttEnd>();

/** A place, prepared for estimates from or to it. */
export const rttEndOf = (point: GeoPoint): RttEnd => {
  const before = endOfPoint.get(point);
  if (before) return before;
  const end = endOf(`${point.latitude}|${point.longitude}`);
  endOfPoint.set(point, end);
  return end;
};

/** Estimated round trip in milliseconds. */
export const rttMs = (from: RttEnd, to: GeoPoint): number => rttBetweenMs(from, rttEndOf(to));

/**
 * What the big clouds list for so much GPU, micro-USDC per hour, rounded down so that no saving is overstated; null when
 * there is no such price.
 * @param gpus units that are sold: of slices and slots, each counts by its share of a GPU
 */
export const listRateMicrosPerHour = (gpu: OfferGpu | null, gpus: number): Micros | null => {
  if (gpu === null || gpus === 0) return null;
  const model = modelOf(gpu.model);
  const price = model ? listPriceMicrosPerGpuHour(model) : null;
  return price === null ? null : priceOfUnit(price * BigInt(gpus), gpu, gpu.sharing);
};
