/**
 * Source: NVIDIA Multi-Instance GPU User Guide, "Supported GPUs" and "Supported MIG Profiles" (read November 2026); for
 * the GB200 also what `nvidia-smi mig -lgip` prints there (NVIDIA/gpu-operator pull request 1303). `+me`, the slice with
 * all media engines, exists once a GPU. Profiles with graphics (`+gfx`) and without media engines (`-me`) are not sold.
 * The H20 141 GB and the B300 are left out: the guide has no table of their profiles.
 */
export type MigProfileRow = readonly [name: string, instancesPerGpu: number];

export type MigGeometryRow = {
  readonly gpus: readonly (readonly [model: string, vramGb: number])[];
  /** What the `g` of a profile counts: the GPU's SMs are divided into so many. */
  readonly computeSlices: number;
  readonly profiles: readonly MigProfileRow[];
};

/** The seven-slice GPUs have the same profiles; only the memory in their names differs. */
const seven = (
  gpus: MigGeometryRow['gpus'],
  [single, double, half, full]: readonly [single: number, double: number, half: number, full: number],
): MigGeometryRow => ({
  gpus,
  computeSlices: 7,
  profiles: [
    [`1g.${single}gb`, 7],
    [`1g.${single}gb+me`, 1],
    [`1g.${double}gb`, 4],
    [`2g.${double}gb`, 3],
    [`3g.${half}gb`, 2],
    [`4g.${half}gb`, 1],
    [`7g.${full}gb`, 1],
  ],
});

export const MIG_GEOMETRIES: readonly MigGeometryRow[] = [
  {
    gpus: [['a30', 24]],
    computeSlices: 4,
    profiles: [
      ['1g.6gb', 4],
      ['1g.6gb+me', 1],
      ['2g.12gb', 2],
      ['2g.12gb+me', 1],
      ['4g.24gb', 1],
    ],
  },
  seven([['a100', 40]], [5, 10, 20, 40]),
  seven(
    [
      ['a100', 80],
      ['h100', 80],
    ],
    [10, 20, 40, 80],
  ),
  seven([['h100', 94]], [12, 24, 47, 94]),
  seven(
    [
      ['gh200', 96],
      ['h20', 96],
    ],
    [12, 24, 48, 96],
  ),
  seven([['h200', 141]], [18, 35, 71, 141]),
  seven([['b200', 180]], [23, 45, 90, 180]),
  seven([['gb200', 186]], [24, 47, 93, 186]),
  {
    gpus: [['rtxpro6000', 96]],
    computeSlices: 4,
    profiles: [
      ['1g.24gb', 4],
      ['1g.24gb+me', 1],
      ['2g.48gb', 2],
      ['4g.96gb', 1],
    ],
  },
];
