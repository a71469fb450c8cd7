import {
  estimateRttMs,
  findGpu,
  listPriceMicrosPerGpuHour,
  nominalVramMiB,
  throughput,
} from '@gridbourse/catalog';
import type { OfferGpu } from '@gridbourse/events';
import type { GeoPoint, Micros } from '@gridbourse/kernel';

/** The facts that matching takes from the catalogue, in the form in which it needs them. */

/** Relative throughput of one GPU (an A100 SXM4 80 GB is 1); 0 when nothing is known of the model. */
export const gpuThroughput = (gpu: { model: string; vramMiB?: number; interface?: 'pcie' | 'sxm' }): number => {
  const model = findGpu(gpu.model);
  return model ? throughput(model, 'general', gpu) : 0;
};

/** The VRAM that a reported or asked figure means (drivers report a little less than the box says). */
export const nominalVram = (modelId: string, vramMiB: number): number => {
  const model = findGpu(modelId);
  return (model && nominalVramMiB(model, vramMiB)) ?? vramMiB;
};

const MAX_REMEMBERED_PAIRS = 10_000;
const rememberedRtt = new Map<string, number>();

/** Estimated round trip in milliseconds. The estimate is dear and pairs come again and again: remembered. */
export const rttMs = (a: GeoPoint, b: GeoPoint): number => {
  const key = `${a.latitude},${a.longitude},${b.latitude},${b.longitude}`;
  const known = rememberedRtt.get(key);
  if (known !== undefined) return known;
  if (rememberedRtt.size >= MAX_REMEMBERED_PAIRS) rememberedRtt.clear();
  const rtt = estimateRttMs(a, b);
  rememberedRtt.set(key, rtt);
  return rtt;
};

/** What the big clouds list for so many of these GPUs, micro-USDC per hour; null when there is no such price. */
export const listRateMicrosPerHour = (gpu: OfferGpu | null, gpus: number): Micros | null => {
  if (gpu === null || gpus === 0) return null;
  const model = findGpu(gpu.model);
  const price = model ? listPriceMicrosPerGpuHour(model) : null;
  return price === null ? null : price * BigInt(gpus);
};
