export type GpuVendor = 'nvidia' | 'amd';
/** `sxm` stands for every mezzanine socket (SXM2 to SXM5, OAM, the module of a superchip); all else is `pcie`. */
export type GpuInterface = 'pcie' | 'sxm';

/** Eleven classes; a reward is proportional to the multiplier of the class. */
export type GpuClassId =
  | 'entry-1'
  | 'entry-2'
  | 'low-1'
  | 'low-2'
  | 'medium-1'
  | 'medium-2'
  | 'high-1'
  | 'high-2'
  | 'ultra-1'
  | 'ultra-2'
  | 'ultra-3';

export type GpuClass = {
  readonly id: GpuClassId;
  /** Thousandths: 250 is a multiplier of 0.25. */
  readonly multiplierMilli: number;
};

/** One thing that was sold under the model's name. */
export type GpuVariant = {
  /** Nominal: the gigabytes on the box times 1024. Drivers report a little less. */
  readonly vramMiB: number;
  readonly interface: GpuInterface;
  readonly class: GpuClass;
  /** From the maker's data sheet. */
  readonly memoryBandwidthGBps: number;
  /** Peak dense FP16 with FP16 accumulation, tensor cores where there are any; from the maker's data sheet. */
  readonly peakFp16Tflops: number;
};

export type GpuModel = {
  /** `rtx4090`, `h100`, `rtx6000-ada`: the short names that both manifest dialects use. */
  readonly id: string;
  readonly name: string;
  readonly vendor: GpuVendor;
  /** At least one; the first is the usual one. */
  readonly variants: readonly GpuVariant[];
  /** `published`: the class is in the published table of the protocol; `estimated`: put beside its nearest peers. */
  readonly classBasis: 'published' | 'estimated';
};
