import type { GpuInterface } from './gpu-types.ts';

/**
 * Training throughput of one GPU, FP16, PyTorch, in each benchmark's own unit per second.
 * Source: Lambda's public GPU benchmark (lambda_pytorch_train_throughput_fp16_1gpu), as of 2024.
 */
export const BENCHMARKS = [
  'ssd',
  'bert_base_squad',
  'bert_large_squad',
  'gnmt',
  'ncf',
  'resnet50',
  'tacotron2',
  'transformerxlbase',
  'transformerxllarge',
  'waveglow',
] as const;
export type Benchmark = (typeof BENCHMARKS)[number];

type MeasuredRow = {
  readonly model: string;
  readonly vramGb: number;
  readonly bus: GpuInterface;
  /** In the order of `BENCHMARKS`. */
  readonly values: readonly number[];
};

const row = (model: string, vramGb: number, bus: GpuInterface, ...values: number[]): MeasuredRow => ({
  model,
  vramGb,
  bus,
  values,
});

export const MEASURED: readonly MeasuredRow[] = [
  row('rtx8000', 48, 'pcie', 182, 146, 50, 88498, 19801310, 651, 18587, 18223, 7853, 43964),
  row('v100', 16, 'sxm', 229, 189, 57, 79111, 23476979, 833, 12611, 18493, 6071, 47253),
  row('rtx3090', 24, 'pcie', 236, 172, 52, 86080, 25118176, 905, 25018, 22863, 7821, 97100),
  row('a10', 24, 'pcie', 174, 135, 42, 67836, 15343208, 638, 16900, 16283, 5614, 80357),
  row('a100', 40, 'pcie', 395, 368, 117, 186947, 37012517, 1396, 38131, 35366, 16034, 195108),
  row('a100', 80, 'pcie', 437, 415, 140, 227949, 29393923, 1527, 58956, 41602, 17082, 234859),
  row('a100', 80, 'sxm', 458, 443, 152, 243500, 30787381, 1582, 59716, 43078, 17918, 244438),
  row('rtx6000-ada', 48, 'pcie', 341, 255, 79, 160184, 33148978, 1146, 40331, 36745, 16049, 156904),
  row('rtxa6000', 48, 'pcie', 260, 198, 68, 116438, 25357954, 916, 25496, 26030, 11126, 116866),
  row('rtx4090', 24, 'pcie', 379, 297, 93, 159511, 32192491, 1301, 32661, 40427, 14509, 160816),
  row('h100', 80, 'pcie', 566, 567, 203, 332521, 34483571, 1866, 63991, 47919, 22586, 273768),
  row('h100', 80, 'sxm', 782, 812, 301, 467071, 52418903, 2616, 78108, 62259, 30841, 393500),
];

/** Throughput is told relative to this row: an A100 SXM4 80 GB is 1. */
export const REFERENCE = { model: 'a100', vramGb: 80, bus: 'sxm' } as const;
