import { MIG_GEOMETRIES, type MigGeometryRow } from './mig.data.ts';

const MIB_PER_GB_SOLD = 1024;
const PROFILE = /^([1-9])g\.([1-9]\d{0,2})gb(\+me)?$/;

/** One kind of hardware slice of one GPU. */
export type MigProfile = {
  /** As NVIDIA writes it: `1g.10gb`, `+me` with media engines. */
  readonly name: string;
  readonly computeSlices: number;
  /** What the name says, times 1024, as the catalogue counts VRAM; the driver keeps some of it back. */
  readonly memoryMiB: number;
  /** How many of this one profile one GPU holds. */
  readonly instancesPerGpu: number;
  /** Of one GPU's compute, in (0, 1]. */
  readonly compute: number;
  /** Of one GPU's memory, in (0, 1]. */
  readonly memory: number;
};

/** What one GPU is made of: a catalogue model and its nominal VRAM. An `OfferGpu` and a catalogue variant have both. */
export type GpuKind = { readonly model: string; readonly vramMiB: number };

const keyOf = (model: string, vramMiB: number): string => `${model}/${vramMiB}`;

const readProfile = (row: MigGeometryRow, vramMiB: number): readonly MigProfile[] =>
  row.profiles.map(([name, instancesPerGpu]) => {
    const [, slices, gigabytes] = PROFILE.exec(name)!;
    const computeSlices = Number(slices);
    const memoryMiB = Number(gigabytes) * MIB_PER_GB_SOLD;
    return {
      name,
      computeSlices,
      memoryMiB,
      instancesPerGpu,
      compute: computeSlices / row.computeSlices,
      memory: memoryMiB / vramMiB,
    };
  });

const byKind = new Map<string, readonly MigProfile[]>(
  MIG_GEOMETRIES.flatMap((row) =>
    row.gpus.map(([model, vramGb]) => {
      const vramMiB = vramGb * MIB_PER_GB_SOLD;
      return [keyOf(model, vramMiB), readProfile(row, vramMiB)] as const;
    }),
  ),
);
const slicesByModel = new Map<string, number>(
  MIG_GEOMETRIES.flatMap((row) => row.gpus.map(([model]) => [model, row.computeSlices] as const)),
);

/**
 * The profiles that a GPU can be divided into, smallest first; empty for a GPU without MIG. With `vramMiB` null: those
 * of every size that the model is sold with.
 */
export const migProfilesOf = (gpu: {
  readonly model: string;
  readonly vramMiB: number | null;
}): readonly MigProfile[] => {
  if (gpu.vramMiB !== null) return byKind.get(keyOf(gpu.model, gpu.vramMiB)) ?? [];
  const prefix = `${gpu.model}/`;
  const found = new Map<string, MigProfile>();
  for (const [key, profiles] of byKind) {
    if (!key.startsWith(prefix)) continue;
    for (const profile of profiles) if (!found.has(profile.name)) found.set(profile.name, profile);
  }
  return [...found.values()];
};

/** The profile of that name on that GPU; null when the GPU cannot be divided so. */
export const findMigProfile = (
  gpu: { readonly model: string; readonly vramMiB: number | null },
  name: string,
): MigProfile | null => migProfilesOf(gpu).find((profile) => profile.name === name) ?? null;

/**
 * A profile as drivers, device plugins and labels write it: `1g.10gb`, `mig-1g.10gb`, `1G.10GB+ME`, and `1g.10gb.me`,
 * since a label and a resource name can hold no plus sign. Null for anything else.
 */
export const readMigProfile = (text: string): string | null => {
  if (text.length > 40) return null;
  const name = text.trim().toLowerCase().replace(/^mig-/, '').replace(/\.me$/, '+me');
  return PROFILE.test(name) ? name : null;
};

/**
 * How many of a GPU's compute slices a profile has by its own name, and how many there are: also for one that the tables do
 * not have, so that an offer is never compared as if its slice were a whole GPU.
 */
export const migSlices = (model: string, profile: string): { readonly own: number; readonly of: number } => {
  const match = PROFILE.exec(profile);
  const of = slicesByModel.get(model) ?? 7;
  return { own: Math.min(of, match ? Number(match[1]) : 1), of };
};

/** Which share of one GPU's compute a profile is, in (0, 1]. */
export const migCompute = (model: string, profile: string): number => {
  const { own, of } = migSlices(model, profile);
  return own / of;
};

/** The memory that a profile's own name says, MiB; null when it is no profile. */
export const migMemoryMiB = (profile: string): number | null => {
  const match = PROFILE.exec(profile);
  return match ? Number(match[2]) * MIB_PER_GB_SOLD : null;
};
