import { findVariant, gpuModels } from './gpu-models.ts';
import type { GpuInterface, GpuModel, GpuVariant } from './gpu-types.ts';
import { type Benchmark, BENCHMARKS, MEASURED, REFERENCE } from './throughput.data.ts';

export const WORKLOAD_CLASSES = ['general', 'language', 'vision', 'speech', 'recommendation'] as const;
export type WorkloadClass = (typeof WORKLOAD_CLASSES)[number];

export type Throughput = {
  /** Relative to an A100 SXM4 80 GB, which is 1. */
  readonly relative: number;
  readonly measured: boolean;
  readonly method: string;
};

const BENCHMARKS_OF: Readonly<Record<WorkloadClass, readonly Benchmark[]>> = {
  general: BENCHMARKS,
  language: ['bert_base_squad', 'bert_large_squad', 'gnmt', 'transformerxlbase', 'transformerxllarge'],
  vision: ['ssd', 'resnet50'],
  speech: ['tacotron2', 'waveglow'],
  recommendation: ['ncf'],
};

const MEASURED_METHOD = 'geometric mean of the class benchmarks, relative to the A100 SXM4 80 GB';
const ESTIMATED_METHOD =
  'power law of memory bandwidth and peak FP16, fitted by least squares to the measured GPUs of the same class';

const reference = MEASURED.find(
  (row) => row.model === REFERENCE.model && row.vramGb === REFERENCE.vramGb && row.bus === REFERENCE.bus,
)!;

const measuredVariant = (row: (typeof MEASURED)[number]): GpuVariant =>
  gpuModels
    .find((model) => model.id === row.model)!
    .variants.find((variant) => variant.vramMiB === row.vramGb * 1024 && variant.interface === row.bus)!;

const relativeTo = (values: readonly number[], workload: WorkloadClass): number => {
  const logs = BENCHMARKS_OF[workload].map((name) => {
    const at = BENCHMARKS.indexOf(name);
    return Math.log(values[at]! / reference.values[at]!);
  });
  return Math.exp(logs.reduce((sum, log) => sum + log, 0) / logs.length);
};

const measured = new Map<WorkloadClass, Map<GpuVariant, number>>(
  WORKLOAD_CLASSES.map((workload) => [
    workload,
    new Map(MEASURED.map((row) => [measuredVariant(row), relativeTo(row.values, workload)])),
  ]),
);

/** Ordinary least squares by the normal equations, solved by Gauss-Jordan elimination; three unknowns. */
const leastSquares = (rows: readonly (readonly number[])[], targets: readonly number[]): number[] => {
  const size = rows[0]!.length;
  const matrix = Array.from({ length: size }, (_, i) => [
    ...Array.from({ length: size }, (__, j) => rows.reduce((sum, row) => sum + row[i]! * row[j]!, 0)),
    rows.reduce((sum, row, k) => sum + row[i]! * targets[k]!, 0),
  ]);
  for (let i = 0; i < size; i += 1) {
    const pivot = matrix[i]![i]!;
    matrix[i] = matrix[i]!.map((value) => value / pivot);
    for (let k = 0; k < size; k += 1) {
      if (k === i) continue;
      const factor = matrix[k]![i]!;
      matrix[k] = matrix[k]!.map((value, j) => value - factor * matrix[i]![j]!);
    }
  }
  return matrix.map((row) => row[size]!);
};

const features = (variant: GpuVariant): number[] => [
  1,
  Math.log(variant.memoryBandwidthGBps),
  Math.log(variant.peakFp16Tflops),
];

const fitted = new Map<WorkloadClass, number[]>(
  WORKLOAD_CLASSES.map((workload) => {
    const known = [...measured.get(workload)!];
    return [
      workload,
      leastSquares(
        known.map(([variant]) => features(variant)),
        known.map(([, relative]) => Math.log(relative)),
      ),
    ];
  }),
);

/** What the power law says, also for GPUs that were measured: tests compare the two. */
export const estimatedThroughput = (variant: GpuVariant, workload: WorkloadClass): number => {
  const coefficients = fitted.get(workload)!;
  return Math.exp(features(variant).reduce((sum, feature, i) => sum + feature * coefficients[i]!, 0));
};

export const throughputOf = (variant: GpuVariant, workload: WorkloadClass): Throughput => {
  const known = measured.get(workload)!.get(variant);
  return known === undefined
    ? { relative: estimatedThroughput(variant, workload), measured: false, method: ESTIMATED_METHOD }
    : { relative: known, measured: true, method: MEASURED_METHOD };
};

/**
 * How fast one GPU of the model trains, relative to an A100 SXM4 80 GB. Measured where there is a measurement of that
 * variant, else estimated (`throughputOf` says which). Says nothing about many GPUs together.
 */
export const throughput = (
  model: GpuModel,
  workload: WorkloadClass = 'general',
  known: { readonly vramMiB?: number | null; readonly interface?: GpuInterface | null } = {},
): number => throughputOf(findVariant(model, known) ?? model.variants[0]!, workload).relative;
