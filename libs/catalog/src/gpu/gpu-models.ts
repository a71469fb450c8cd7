import { CLASS_MULTIPLIERS_MILLI, MODEL_ROWS, type ModelRow, type VariantRow } from './gpu-models.data.ts';
import type { GpuClass, GpuClassId, GpuInterface, GpuModel, GpuVariant, GpuVendor } from './gpu-types.ts';

const MIB_PER_GB_SOLD = 1024;
/** Drivers keep back, and error correction takes, up to a sixteenth of the memory on the box. */
const REPORTED_TOLERANCE = 0.07;

export const gpuClasses: readonly GpuClass[] = (
  Object.entries(CLASS_MULTIPLIERS_MILLI) as [GpuClassId, number][]
).map(([id, multiplierMilli]) => ({ id, multiplierMilli }));

const classById = new Map(gpuClasses.map((gpuClass) => [gpuClass.id, gpuClass]));

const toVariant = (row: VariantRow, modelClass: GpuClassId): GpuVariant => {
  const [vramGb, bus, bandwidth, fp16, ownClass] = row;
  return {
    vramMiB: vramGb * MIB_PER_GB_SOLD,
    interface: bus,
    class: classById.get(ownClass ?? modelClass)!,
    memoryBandwidthGBps: bandwidth,
    peakFp16Tflops: fp16,
  };
};

const toModel = (row: ModelRow, vendor: GpuVendor, published: boolean): GpuModel => {
  const [id, name, classId, variants] = row;
  return {
    id,
    name,
    vendor,
    variants: variants.map((variant) => toVariant(variant, classId)),
    classBasis: published ? 'published' : 'estimated',
  };
};

/** Every model of the catalogue. */
export const gpuModels: readonly GpuModel[] = MODEL_ROWS.flatMap(({ vendor, published, rows }) =>
  rows.map((row) => toModel(row, vendor, published)),
);

/** Other spellings, by model id, as the data file lists them. */
export const gpuAliases: ReadonlyMap<string, readonly string[]> = new Map(
  MODEL_ROWS.flatMap(({ rows }) => rows.map(([id, , , , aliases]) => [id, aliases ?? []] as const)),
);

/**
 * The nominal VRAM that a reported or asked figure means: `nvidia-smi` says 81559 MiB for an "80 GB" card, a manifest
 * says 80Gi. Null when the model was never sold with anything near it.
 */
export const nominalVramMiB = (model: GpuModel, vramMiB: number): number | null => {
  let best: number | null = null;
  for (const variant of model.variants) {
    const error = Math.abs(variant.vramMiB - vramMiB);
    if (error > variant.vramMiB * REPORTED_TOLERANCE) continue;
    if (best === null || error < Math.abs(best - vramMiB)) best = variant.vramMiB;
  }
  return best;
};

/**
 * The variant that fits what is known of it; the usual one when nothing is known; null when the model was never sold
 * so.
 */
export const findVariant = (
  model: GpuModel,
  known: { readonly vramMiB?: number | null; readonly interface?: GpuInterface | null } = {},
): GpuVariant | null => {
  const vramMiB = known.vramMiB == null ? null : nominalVramMiB(model, known.vramMiB);
  if (known.vramMiB != null && vramMiB === null) return null;
  return (
    model.variants.find(
      (variant) =>
        (vramMiB === null || variant.vramMiB === vramMiB) &&
        (known.interface == null || variant.interface === known.interface),
    ) ?? null
  );
};
