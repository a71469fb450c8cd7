import type { Micros } from '@gridbourse/kernel';
import { type GpuKind, migCompute, migMemoryMiB, migSlices } from './mig.ts';

/**
 * What one sold unit of an offer's GPUs is: a whole GPU, a hardware slice of one, or one of `slotsPerGpu` time slices.
 * Structurally the `sharing` of a published offer.
 */
export type UnitSharing =
  | { readonly mode: 'whole' }
  | { readonly mode: 'mig'; readonly profile: string }
  | { readonly mode: 'shared'; readonly slotsPerGpu: number };

/** A device plugin divides a GPU among at most so many, and one slot is no slot. */
export const SLOTS_PER_GPU = { min: 2, max: 128 } as const;

export type UnitShare = {
  /** Of one GPU's compute, in (0, 1]. Of time slices: what is left when every slot is busy. */
  readonly compute: number;
  /** What a program in the unit can use, MiB. Of time slices: all of the GPU's memory, which other tenants use too. */
  readonly memoryMiB: number;
  /** No other tenant's program can take the unit's memory or fail it. */
  readonly isolated: boolean;
};

/** Which part of one GPU of that model and VRAM one sold unit is. */
export const unitShare = (gpu: GpuKind, sharing: UnitSharing): UnitShare => {
  switch (sharing.mode) {
    case 'whole':
      return { compute: 1, memoryMiB: gpu.vramMiB, isolated: true };
    case 'mig':
      return {
        compute: migCompute(gpu.model, sharing.profile),
        memoryMiB: Math.min(gpu.vramMiB, migMemoryMiB(sharing.profile) ?? 0),
        isolated: true,
      };
    case 'shared':
      return { compute: 1 / sharing.slotsPerGpu, memoryMiB: gpu.vramMiB, isolated: false };
  }
};

/** A unit's share of one GPU's compute as a fraction of whole numbers: prices are multiplied by no other. */
const shareOfCompute = (gpu: GpuKind, sharing: UnitSharing): readonly [own: number, of: number] => {
  switch (sharing.mode) {
    case 'whole':
      return [1, 1];
    case 'mig': {
      const { own, of } = migSlices(gpu.model, sharing.profile);
      return [own, of];
    }
    case 'shared':
      return [1, sharing.slotsPerGpu];
  }
};

/** The part of a price of whole GPUs that one unit is by its compute, exactly, and then rounded down. */
export const priceOfUnit = (perGpuMicros: Micros, gpu: GpuKind, sharing: UnitSharing): Micros => {
  const [own, of] = shareOfCompute(gpu, sharing);
  return (perGpuMicros * BigInt(own)) / BigInt(of);
};

/** The unit in words: `whole GPU`, `MIG 1g.10gb`, `1/4 shared`. */
export const unitName = (sharing: UnitSharing): string => {
  switch (sharing.mode) {
    case 'whole':
      return 'whole GPU';
    case 'mig':
      return `MIG ${sharing.profile}`;
    case 'shared':
      return `1/${sharing.slotsPerGpu} shared`;
  }
};

/** One word for wires and labels: `whole`, `mig:1g.10gb`, `shared:4`. */
export const sharingText = (sharing: UnitSharing): string => {
  switch (sharing.mode) {
    case 'whole':
      return 'whole';
    case 'mig':
      return `mig:${sharing.profile}`;
    case 'shared':
      return `shared:${sharing.slotsPerGpu}`;
  }
};

const SHARING_TEXT = /^(?:(whole)|mig:([1-9]g\.[1-9]\d{0,2}gb(?:\+me)?)|shared:([1-9]\d{0,2}))$/;

/** What `sharingText` wrote; null for any other text. */
export const readSharingText = (text: string): UnitSharing | null => {
  const match = SHARING_TEXT.exec(text);
  if (!match) return null;
  if (match[1]) return { mode: 'whole' };
  if (match[2]) return { mode: 'mig', profile: match[2] };
  const slotsPerGpu = Number(match[3]);
  return slotsPerGpu < SLOTS_PER_GPU.min || slotsPerGpu > SLOTS_PER_GPU.max
    ? null
    : { mode: 'shared', slotsPerGpu };
};
