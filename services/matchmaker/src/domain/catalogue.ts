import {
  findGpu,
  listPriceMicrosPerGpuHour,
  nominalVramMiB,
  rttBetweenMs,
  type RttEnd,
  rttEnd,
  throughput,
  WORKLOAD_CLASSES,
  type WorkloadClass,
} from '@gridbourse/catalog';
import type { OfferGpu } from '@gridbourse/events';
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

type Gpu = { model: string; vramMiB?: number; interface?: 'pcie' | 'sxm' };

/** The GPUs of offers stay the same objects as long as the offer is not changed: found without making a key. */
const throughputOfGpu = new Map<WorkloadClass, WeakMap<Gpu, number>>(
  WORKLOAD_CLASSES.map((workload) => [workload, new WeakMap()]),
);

/** Relative throughput of one GPU (an A100 SXM4 80 GB is 1); 0 when nothing is known of the model. */
export const gpuThroughput = (gpu: Gpu, workload: WorkloadClass = 'general'): number => {
  const known = throughputOfGpu.get(workload)!;
  const before = known.get(gpu);
  if (before !== undefined) return before;
  const found = throughputByName(`${gpu.model}|${gpu.vramMiB ?? ''}|${gpu.interface ?? ''}|${workload}`);
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

/** What the big clouds list for so many of these GPUs, micro-USDC per hour; null when there is no such price. */
export const listRateMicrosPerHour = (gpu: OfferGpu | null, gpus: number): Micros | null => {
  if (gpu === null || gpus === 0) return null;
  const model = modelOf(gpu.model);
  const price = model ? listPriceMicrosPerGpuHour(model) : null;
  return price === null ? null : price * BigInt(gpus);
};
