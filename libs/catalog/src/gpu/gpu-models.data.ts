import type { GpuClassId, GpuInterface, GpuVendor } from './gpu-types.ts';

/**
 * Sources: names and classes from the Spheron protocol's published tables (docs `providers/reward-details` and
 * `fizz/reward-details`, and the model list of its SDK, read November 2026: 76 models in 11 classes); VRAM, interface,
 * bandwidth and peak FP16 from the makers' data sheets. Where the two published tables disagree (RTX 5090), the one
 * for providers is taken; the published class of the RTX 5060 Ti contradicts its own multiplier, and the multiplier
 * (0.75) is taken. The published list has an "RTX 8000 Ada", which was never sold and has no data sheet: left out.
 * Models below the line "not in the published tables" carry a class put beside their nearest peers.
 */
export const CLASS_MULTIPLIERS_MILLI: Readonly<Record<GpuClassId, number>> = {
  'entry-1': 100,
  'entry-2': 250,
  'low-1': 500,
  'low-2': 750,
  'medium-1': 1_000,
  'medium-2': 1_500,
  'high-1': 2_000,
  'high-2': 3_000,
  'ultra-1': 6_000,
  'ultra-2': 12_000,
  'ultra-3': 15_000,
};

/** VRAM in GB, memory bandwidth in GB/s, peak dense FP16 in TFLOPS. */
export type VariantRow = readonly [
  vramGb: number,
  bus: GpuInterface,
  bandwidth: number,
  fp16: number,
  classId?: GpuClassId,
];
export type ModelRow = readonly [
  id: string,
  name: string,
  classId: GpuClassId,
  variants: readonly VariantRow[],
  aliases?: readonly string[],
];

export const PUBLISHED_NVIDIA: readonly ModelRow[] = [
  [
    't1000',
    'NVIDIA T1000',
    'entry-1',
    [
      [8, 'pcie', 160, 5],
      [4, 'pcie', 160, 5],
    ],
  ],
  ['p4', 'NVIDIA Tesla P4', 'entry-1', [[8, 'pcie', 192, 5.5]]],
  ['gtx1050', 'NVIDIA GeForce GTX 1050', 'entry-1', [[2, 'pcie', 112, 1.9]]],
  ['gtx1050ti', 'NVIDIA GeForce GTX 1050 Ti', 'entry-1', [[4, 'pcie', 112, 2.1]]],
  [
    'gtx1060',
    'NVIDIA GeForce GTX 1060',
    'entry-1',
    [
      [6, 'pcie', 192, 4.4],
      [3, 'pcie', 192, 3.9],
    ],
  ],
  ['gtx1070', 'NVIDIA GeForce GTX 1070', 'entry-1', [[8, 'pcie', 256, 6.5]]],
  ['gtx1070ti', 'NVIDIA GeForce GTX 1070 Ti', 'entry-1', [[8, 'pcie', 256, 8.2]]],
  ['gtx1080', 'NVIDIA GeForce GTX 1080', 'entry-1', [[8, 'pcie', 320, 8.9]]],
  ['gtx1080ti', 'NVIDIA GeForce GTX 1080 Ti', 'entry-1', [[11, 'pcie', 484, 11.3]]],
  ['gtx1650', 'NVIDIA GeForce GTX 1650', 'entry-1', [[4, 'pcie', 128, 6]]],
  ['gtx1650ti', 'NVIDIA GeForce GTX 1650 Ti', 'entry-1', [[4, 'pcie', 192, 6.1]]],
  ['gtx1660', 'NVIDIA GeForce GTX 1660', 'entry-1', [[6, 'pcie', 192, 10]]],
  ['gtx1660ti', 'NVIDIA GeForce GTX 1660 Ti', 'entry-1', [[6, 'pcie', 288, 10.9]]],
  ['gtx1660super', 'NVIDIA GeForce GTX 1660 SUPER', 'entry-1', [[6, 'pcie', 336, 10]], ['gtx1660s']],
  ['rtx2050', 'NVIDIA GeForce RTX 2050', 'entry-1', [[4, 'pcie', 112, 22]]],
  [
    'rtx2060',
    'NVIDIA GeForce RTX 2060',
    'entry-1',
    [
      [6, 'pcie', 336, 51.6],
      [12, 'pcie', 336, 57],
    ],
  ],
  ['rtx2060super', 'NVIDIA GeForce RTX 2060 SUPER', 'entry-1', [[8, 'pcie', 448, 57.4]], ['rtx2060s']],
  ['rtx2070', 'NVIDIA GeForce RTX 2070', 'entry-1', [[8, 'pcie', 448, 59.7]]],
  ['rtx2080', 'NVIDIA GeForce RTX 2080', 'entry-2', [[8, 'pcie', 448, 80.5]]],
  ['rtx2080super', 'NVIDIA GeForce RTX 2080 SUPER', 'entry-2', [[8, 'pcie', 496, 89.2]], ['rtx2080s']],
  [
    'rtx3050',
    'NVIDIA GeForce RTX 3050',
    'entry-2',
    [
      [8, 'pcie', 224, 36.4],
      [6, 'pcie', 168, 27],
    ],
  ],
  ['rtx3050ti', 'NVIDIA GeForce RTX 3050 Ti', 'entry-2', [[4, 'pcie', 192, 35]]],
  [
    'rtx3060',
    'NVIDIA GeForce RTX 3060',
    'entry-2',
    [
      [12, 'pcie', 360, 51],
      [8, 'pcie', 240, 51],
    ],
  ],
  ['rtx3060ti', 'NVIDIA GeForce RTX 3060 Ti', 'entry-2', [[8, 'pcie', 448, 64.8]]],
  ['rtx3070', 'NVIDIA GeForce RTX 3070', 'entry-2', [[8, 'pcie', 448, 81.3]]],
  ['rtx3070ti', 'NVIDIA GeForce RTX 3070 Ti', 'entry-2', [[8, 'pcie', 608, 87]]],
  ['rtx4050', 'NVIDIA GeForce RTX 4050', 'entry-2', [[6, 'pcie', 192, 36]]],
  ['rtx4060', 'NVIDIA GeForce RTX 4060', 'entry-2', [[8, 'pcie', 272, 60.4]]],
  [
    'rtx4060ti',
    'NVIDIA GeForce RTX 4060 Ti',
    'entry-2',
    [
      [16, 'pcie', 288, 88],
      [8, 'pcie', 288, 88],
    ],
  ],
  ['rtx4070', 'NVIDIA GeForce RTX 4070', 'entry-2', [[12, 'pcie', 504, 116.6]]],
  [
    'p100',
    'NVIDIA Tesla P100',
    'entry-2',
    [
      [16, 'pcie', 732, 18.7],
      [12, 'pcie', 549, 18.7],
      [16, 'sxm', 732, 21.2],
    ],
  ],
  ['rtxa4000', 'NVIDIA RTX A4000', 'entry-2', [[16, 'pcie', 448, 76.7]], ['a4000']],
  ['rtx2080ti', 'NVIDIA GeForce RTX 2080 Ti', 'low-1', [[11, 'pcie', 616, 107.6]]],
  [
    'rtx3080',
    'NVIDIA GeForce RTX 3080',
    'low-1',
    [
      [10, 'pcie', 760, 119],
      [12, 'pcie', 912, 122.6],
    ],
  ],
  ['rtx3080ti', 'NVIDIA GeForce RTX 3080 Ti', 'low-1', [[12, 'pcie', 912, 136]]],
  ['rtx4070ti', 'NVIDIA GeForce RTX 4070 Ti', 'low-1', [[12, 'pcie', 504, 160]]],
  ['rtx4070super', 'NVIDIA GeForce RTX 4070 SUPER', 'low-1', [[12, 'pcie', 504, 142]], ['rtx4070s']],
  [
    'rtx4070tisuper',
    'NVIDIA GeForce RTX 4070 Ti SUPER',
    'low-1',
    [[16, 'pcie', 672, 176]],
    ['rtx4070sti', 'rtx4070tis', 'rtx4070superti'],
  ],
  ['rtx4000', 'NVIDIA Quadro RTX 4000', 'low-1', [[8, 'pcie', 416, 57]]],
  ['p40', 'NVIDIA Tesla P40', 'low-1', [[24, 'pcie', 346, 11.8]]],
  ['t4', 'NVIDIA Tesla T4', 'low-1', [[16, 'pcie', 320, 65]]],
  ['rtx4080', 'NVIDIA GeForce RTX 4080', 'low-2', [[16, 'pcie', 717, 195]]],
  ['rtx4080super', 'NVIDIA GeForce RTX 4080 SUPER', 'low-2', [[16, 'pcie', 736, 209]], ['rtx4080s']],
  ['titanrtx', 'NVIDIA TITAN RTX', 'low-2', [[24, 'pcie', 672, 130.5]]],
  ['rtx3090', 'NVIDIA GeForce RTX 3090', 'low-2', [[24, 'pcie', 936, 142]]],
  ['rtx3090ti', 'NVIDIA GeForce RTX 3090 Ti', 'low-2', [[24, 'pcie', 1008, 160]]],
  [
    'rtx5060ti',
    'NVIDIA GeForce RTX 5060 Ti',
    'low-2',
    [
      [16, 'pcie', 448, 95],
      [8, 'pcie', 448, 95],
    ],
  ],
  ['rtx4000-ada', 'NVIDIA RTX 4000 Ada Generation', 'medium-1', [[20, 'pcie', 360, 107]]],
  ['rtx4000-sff-ada', 'NVIDIA RTX 4000 SFF Ada Generation', 'medium-1', [[20, 'pcie', 280, 77]]],
  ['rtxa5000', 'NVIDIA RTX A5000', 'medium-1', [[24, 'pcie', 768, 111]], ['a5000']],
  [
    'v100',
    'NVIDIA Tesla V100',
    'medium-1',
    [
      [16, 'sxm', 900, 125],
      [32, 'sxm', 900, 125],
      [16, 'pcie', 900, 112],
      [32, 'pcie', 900, 112],
    ],
  ],
  ['v100s', 'NVIDIA Tesla V100S', 'medium-1', [[32, 'pcie', 1134, 130]]],
  [
    'rtx4090',
    'NVIDIA GeForce RTX 4090',
    'medium-1',
    [
      [24, 'pcie', 1008, 330],
      [48, 'pcie', 1008, 330],
    ],
  ],
  ['rtx5070ti', 'NVIDIA GeForce RTX 5070 Ti', 'medium-1', [[16, 'pcie', 896, 176]]],
  ['rtx5080', 'NVIDIA GeForce RTX 5080', 'medium-1', [[16, 'pcie', 960, 225]]],
  ['l4', 'NVIDIA L4', 'medium-1', [[24, 'pcie', 300, 121]]],
  ['a10', 'NVIDIA A10', 'medium-1', [[24, 'pcie', 600, 125]]],
  ['a10g', 'NVIDIA A10G', 'medium-1', [[24, 'pcie', 600, 70]]],
  ['a16', 'NVIDIA A16', 'medium-1', [[16, 'pcie', 200, 18]]],
  ['a30', 'NVIDIA A30', 'medium-1', [[24, 'pcie', 933, 165]]],
  ['a40', 'NVIDIA A40', 'medium-1', [[48, 'pcie', 696, 150]]],
  ['rtx5090', 'NVIDIA GeForce RTX 5090', 'medium-2', [[32, 'pcie', 1792, 419]]],
  ['l40', 'NVIDIA L40', 'medium-2', [[48, 'pcie', 864, 181]]],
  ['rtxa6000', 'NVIDIA RTX A6000', 'medium-2', [[48, 'pcie', 768, 155]], ['a6000']],
  ['rtx6000', 'NVIDIA Quadro RTX 6000', 'medium-2', [[24, 'pcie', 672, 130.5]]],
  ['rtx8000', 'NVIDIA Quadro RTX 8000', 'medium-2', [[48, 'pcie', 672, 130.5]]],
  ['l40s', 'NVIDIA L40S', 'high-1', [[48, 'pcie', 864, 362]]],
  ['rtx6000-ada', 'NVIDIA RTX 6000 Ada Generation', 'high-1', [[48, 'pcie', 960, 364]]],
  [
    'a100',
    'NVIDIA A100',
    'high-2',
    [
      [80, 'sxm', 2039, 312, 'ultra-1'],
      [80, 'pcie', 1935, 312, 'ultra-1'],
      [40, 'sxm', 1555, 312],
      [40, 'pcie', 1555, 312],
    ],
  ],
  [
    'h100',
    'NVIDIA H100',
    'ultra-2',
    [
      [80, 'sxm', 3350, 989],
      [80, 'pcie', 2000, 756],
      [94, 'pcie', 3900, 835],
    ],
  ],
  ['gh200', 'NVIDIA GH200', 'ultra-2', [[96, 'sxm', 4000, 989]]],
  [
    'h200',
    'NVIDIA H200',
    'ultra-3',
    [
      [141, 'sxm', 4800, 989],
      [141, 'pcie', 4800, 835],
    ],
  ],
  ['b200', 'NVIDIA B200', 'ultra-3', [[180, 'sxm', 8000, 2250]]],
];

// Not in the published tables.
export const OTHER_NVIDIA: readonly ModelRow[] = [
  ['k80', 'NVIDIA Tesla K80', 'entry-1', [[12, 'pcie', 240, 4.4]]],
  ['a2', 'NVIDIA A2', 'entry-2', [[16, 'pcie', 200, 18]]],
  [
    'rtxa2000',
    'NVIDIA RTX A2000',
    'entry-2',
    [
      [12, 'pcie', 288, 32],
      [6, 'pcie', 288, 32],
    ],
    ['a2000'],
  ],
  ['rtx5060', 'NVIDIA GeForce RTX 5060', 'low-1', [[8, 'pcie', 448, 77]]],
  ['rtx5070', 'NVIDIA GeForce RTX 5070', 'low-2', [[12, 'pcie', 672, 123.5]]],
  ['rtxa4500', 'NVIDIA RTX A4500', 'medium-1', [[20, 'pcie', 640, 94.6]], ['a4500']],
  ['rtx4500-ada', 'NVIDIA RTX 4500 Ada Generation', 'medium-1', [[24, 'pcie', 432, 158]]],
  ['titanv', 'NVIDIA TITAN V', 'medium-1', [[12, 'pcie', 653, 110]]],
  ['rtx5000-ada', 'NVIDIA RTX 5000 Ada Generation', 'medium-2', [[32, 'pcie', 576, 261]]],
  [
    'rtxpro6000',
    'NVIDIA RTX PRO 6000 Blackwell',
    'high-1',
    [[96, 'pcie', 1597, 503]],
    ['rtxpro6000s', 'rtxpro6000ws', 'rtxpro6000se', 'rtxpro6000maxq'],
  ],
  [
    'h20',
    'NVIDIA H20',
    'ultra-1',
    [
      [96, 'sxm', 4000, 148],
      [141, 'sxm', 4800, 148],
    ],
  ],
  ['gb200', 'NVIDIA GB200', 'ultra-3', [[186, 'sxm', 8000, 2500]]],
  ['b300', 'NVIDIA B300', 'ultra-3', [[288, 'sxm', 8000, 2500]]],
];

export const OTHER_AMD: readonly ModelRow[] = [
  ['rx6900xt', 'AMD Radeon RX 6900 XT', 'low-2', [[16, 'pcie', 512, 46]]],
  ['rx7900xtx', 'AMD Radeon RX 7900 XTX', 'medium-1', [[24, 'pcie', 960, 123]]],
  ['w7900', 'AMD Radeon PRO W7900', 'medium-2', [[48, 'pcie', 864, 123]], ['prow7900']],
  ['mi100', 'AMD Instinct MI100', 'medium-2', [[32, 'pcie', 1229, 185]]],
  ['mi210', 'AMD Instinct MI210', 'high-2', [[64, 'pcie', 1638, 181]]],
  ['mi250', 'AMD Instinct MI250', 'ultra-1', [[128, 'sxm', 3277, 362]]],
  ['mi250x', 'AMD Instinct MI250X', 'ultra-1', [[128, 'sxm', 3277, 383]]],
  ['mi300x', 'AMD Instinct MI300X', 'ultra-2', [[192, 'sxm', 5300, 1307]]],
  ['mi325x', 'AMD Instinct MI325X', 'ultra-3', [[256, 'sxm', 6000, 1307]]],
  ['mi355x', 'AMD Instinct MI355X', 'ultra-3', [[288, 'sxm', 8000, 2500]]],
];

export const MODEL_ROWS: readonly {
  readonly vendor: GpuVendor;
  readonly published: boolean;
  readonly rows: readonly ModelRow[];
}[] = [
  { vendor: 'nvidia', published: true, rows: PUBLISHED_NVIDIA },
  { vendor: 'nvidia', published: false, rows: OTHER_NVIDIA },
  { vendor: 'amd', published: false, rows: OTHER_AMD },
];
