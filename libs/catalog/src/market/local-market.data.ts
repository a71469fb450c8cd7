import type { UnitSharing } from '../gpu/unit-share.ts';

/**
 * The market of the first start.
 *
 * Facts, from a snapshot of public offers on the Vast.ai marketplace (the file carries no date; recorded before
 * 24 November 2026): GPU model, GPUs in the machine, VRAM that the driver reports, price of the whole machine per hour,
 * and place. All 67 rows are here, one machine each.
 *
 * Ours, not the snapshot's:
 * - The providers. A row names no seller, so machines of one place, or of neighbouring ones, were put under an invented
 *   name; the provider's place is that of its first machine.
 * - CPU, memory and storage of a machine (the snapshot only repeats its query's lower bound, 32 cores and 64 GiB).
 *   `NODE_SIZES` gives what such machines usually have.
 * - The prices of CPU, memory and storage: the published Spheron prices ($0.001 per core hour, $0.10 per GB of memory and
 *   $0.01 per GB of storage in a month of 720 h). The snapshot's price is taken whole as the price of the GPUs.
 * - The interface of the Tesla V100 and H200 machines, which the snapshot does not tell (SXM is the usual one).
 * - The CPU-only machines of `CPU_ONLY` and those of `DIVIDED`, whose GPUs are sold in parts: they are in no snapshot.
 */
export const MARKET_SOURCE = {
  name: 'Vast.ai public offers, snapshot',
  recordedBefore: '2026-11-24',
} as const;

/** Price of the whole machine in cents per hour; VRAM as reported, MiB. */
export type MachineRow = readonly [gpu: string, gpus: number, vramMiB: number, cents: number, place: string];

export type ProviderRow = {
  readonly key: string;
  readonly name: string;
  readonly machines: readonly MachineRow[];
};

export const PROVIDER_ROWS: readonly ProviderRow[] = [
  {
    key: 'seine',
    name: 'Seine Compute',
    machines: [
      ['H200', 1, 143771, 265, 'France, FR, EU'],
      ['H200', 2, 143771, 518, 'France, FR, EU'],
      ['H200', 4, 143771, 1059, 'France, FR, EU'],
      ['H200', 8, 143771, 1788, 'France, FR, EU'],
    ],
  },
  {
    key: 'rhine-thames',
    name: 'Rhine & Thames GPU',
    machines: [
      ['RTX_4090', 1, 24564, 40, 'Germany, DE, EU'],
      ['RTX_4090', 4, 24564, 139, 'Germany, DE, EU'],
      ['A100_SXM4', 1, 40960, 76, 'Bavaria, DE, EU'],
      ['RTX_4060_Ti', 1, 16380, 13, 'United Kingdom, GB, EU'],
    ],
  },
  {
    key: 'northern-lights',
    name: 'Northern Lights Computing',
    machines: [
      ['RTX_5090', 2, 32607, 93, 'Hafnarfjardarkaupstadur, IS, EU'],
      ['RTX_4090', 5, 24564, 200, 'Iceland, IS, EU'],
      ['RTX_4090', 2, 24564, 79, 'Finland, FI, EU'],
      ['Tesla_V100', 8, 16384, 85, 'Sweden, SE, EU'],
    ],
  },
  {
    key: 'danube-adria',
    name: 'Danube Adria Cloud',
    machines: [
      ['H100_NVL', 1, 95830, 208, 'Bulgaria, BG, EU'],
      ['RTX_5090', 4, 32607, 187, 'Sofia-Capital, BG, EU'],
      ['RTX_4070S_Ti', 2, 16376, 36, 'Bulgaria, BG, EU'],
      ['RTX_A6000', 2, 49140, 85, 'Romania, RO, EU'],
      ['RTX_5090', 1, 32607, 48, 'Bacs-Kiskun, HU, EU'],
      ['RTX_4090', 8, 24564, 277, 'Croatia, HR, EU'],
      ['A100_SXM4', 2, 40960, 149, 'Slovenia, SI, EU'],
      ['RTX_3060', 1, 12288, 27, 'Italy, IT, EU'],
    ],
  },
  {
    key: 'great-lakes',
    name: 'Great Lakes Compute',
    machines: [
      ['H200', 2, 143771, 518, 'Michigan, US, NA'],
      ['RTX_3060_Ti', 2, 8192, 20, 'Michigan, US, NA'],
      ['RTX_PRO_6000_S', 1, 97887, 113, 'New York, US, NA'],
      ['A100_SXM4', 1, 40960, 76, 'Georgia, US, NA'],
    ],
  },
  {
    key: 'red-river',
    name: 'Red River GPU',
    machines: [
      ['RTX_5090', 1, 32607, 48, 'Texas, US, NA'],
      ['RTX_5090', 2, 32607, 93, 'Texas, US, NA'],
      ['RTX_5090', 8, 32607, 453, 'Texas, US, NA'],
      ['H100_SXM', 1, 81559, 187, 'Texas, US, NA'],
      ['A100_PCIE', 1, 81920, 87, 'Oklahoma, US, NA'],
      ['RTX_A6000', 2, 49140, 85, 'Kansas, US, NA'],
    ],
  },
  {
    key: 'prairie',
    name: 'Prairie Supercompute',
    machines: [
      ['H200', 4, 143771, 1059, ', US, NA'],
      ['H100_SXM', 2, 81559, 373, ', US, NA'],
      ['B200', 4, 183359, 1882, ', US, NA'],
      ['B200', 2, 183359, 941, ', US, NA'],
      ['RTX_4090', 8, 24564, 277, 'United States, US, NA'],
    ],
  },
  {
    key: 'cascade',
    name: 'Cascade Compute',
    machines: [
      ['RTX_4090', 1, 24564, 40, 'Washington, US, NA'],
      ['RTX_4090', 4, 24564, 139, 'Washington, US, NA'],
      ['L40S', 2, 46068, 120, 'Oregon, US, NA'],
      ['A100_SXM4', 4, 40960, 309, 'Oregon, US, NA'],
    ],
  },
  {
    key: 'laurentide',
    name: 'Laurentide GPU',
    machines: [
      ['RTX_5090', 4, 32607, 187, 'Quebec, CA, NA'],
      ['RTX_3090', 2, 24576, 33, 'Quebec, CA, NA'],
      ['RTX_3090', 4, 24576, 67, 'Quebec, CA, NA'],
      ['RTX_3070', 1, 8192, 48, 'Quebec, CA, NA'],
    ],
  },
  {
    key: 'salish',
    name: 'Salish Compute',
    machines: [
      ['RTX_4090', 2, 24564, 79, 'British Columbia, CA, NA'],
      ['RTX_A2000', 8, 6138, 533, 'British Columbia, CA, NA'],
      ['RTX_A2000', 2, 6138, 133, 'British Columbia, CA, NA'],
      ['RTX_A2000', 4, 6138, 267, 'British Columbia, CA, NA'],
    ],
  },
  {
    key: 'formosa',
    name: 'Formosa GPU',
    machines: [
      ['RTX_5090', 2, 32607, 93, 'Taiwan, TW, AS'],
      ['RTX_5090', 4, 32607, 187, 'Taiwan, TW, AS'],
      ['RTX_5090', 8, 32607, 453, 'Taiwan, TW, AS'],
      ['RTX_5090', 16, 32607, 683, 'Taiwan, TW, AS'],
      ['RTX_4090', 2, 24564, 79, 'Taiwan, TW, AS'],
      ['RTX_4090', 4, 24564, 139, 'Taiwan, TW, AS'],
      ['RTX_4090', 8, 24564, 277, 'Taiwan, TW, AS'],
      ['RTX_3070', 1, 8192, 48, 'Taiwan, TW, AS'],
      ['L40S', 1, 46068, 60, 'Taichung City, TW, AS'],
      ['L40S', 2, 46068, 120, 'Taichung City, TW, AS'],
    ],
  },
  {
    key: 'east-sea',
    name: 'East Sea Compute',
    machines: [
      ['RTX_6000Ada', 1, 49140, 37, 'Japan, JP, AS'],
      ['L40S', 4, 46068, 240, 'Japan, JP, AS'],
      ['RTX_4090', 1, 49140, 40, 'Hong Kong, HK, AS'],
      ['RTX_3080', 4, 10240, 37, ', CN, AS'],
    ],
  },
  {
    key: 'mekong',
    name: 'Mekong Accelerated',
    machines: [
      ['H100_SXM', 4, 81559, 853, 'Vietnam, VN, AS'],
      ['H100_SXM', 8, 81559, 1600, 'Vietnam, VN, AS'],
      ['H100_SXM', 2, 81559, 373, 'Thailand, TH, AS'],
    ],
  },
  {
    key: 'southern-cross',
    name: 'Southern Cross GPU',
    machines: [
      ['H100_NVL', 2, 95830, 453, 'Australia, AU, OC'],
      ['A40', 2, 46068, 133, 'Australia, AU, OC'],
      ['A40', 1, 46068, 67, 'Australia, AU, OC'],
    ],
  },
];

/** CPU-only machines, an assumption whole: how many of which size each of these providers adds. */
export const CPU_ONLY: readonly { readonly provider: string; readonly machines: number }[] = [
  { provider: 'seine', machines: 2 },
  { provider: 'prairie', machines: 2 },
  { provider: 'formosa', machines: 2 },
];

/**
 * Machines whose GPUs are sold in parts, an assumption whole. The price of a part is derived: what the snapshot's own row
 * `like` asks for one such GPU, divided by how many parts a GPU has (seven slices of `1g.10gb`, four slots), rounded up
 * to a whole micro, so that a GPU sold out in parts earns what one sold whole does.
 */
export const DIVIDED: readonly {
  readonly provider: string;
  readonly like: MachineRow;
  readonly gpus: number;
  readonly sharing: Exclude<UnitSharing, { mode: 'whole' }>;
}[] = [
  {
    provider: 'red-river',
    like: ['A100_PCIE', 1, 81920, 87, 'Oklahoma, US, NA'],
    gpus: 2,
    sharing: { mode: 'mig', profile: '1g.10gb' },
  },
  {
    provider: 'rhine-thames',
    like: ['RTX_4090', 1, 24564, 40, 'Germany, DE, EU'],
    gpus: 2,
    sharing: { mode: 'shared', slotsPerGpu: 4 },
  },
];

/** Cores, GiB of memory and TiB of storage, by kind of machine: at least, and per GPU. */
export const NODE_SIZES = {
  /** Server GPUs: sold in machines with many cores and much memory. */
  server: {
    minCores: 96,
    coresPerGpu: 24,
    minMemoryGiB: 512,
    memoryGiBPerGpu: 256,
    minStorageTiB: 4,
    storageTiBPerGpu: 2,
  },
  /** Workstation and consumer GPUs. */
  workstation: {
    minCores: 32,
    coresPerGpu: 16,
    minMemoryGiB: 128,
    memoryGiBPerGpu: 64,
    minStorageTiB: 2,
    storageTiBPerGpu: 1,
  },
  cpuOnly: { cores: 128, memoryGiB: 1024, storageTiB: 16 },
} as const;

/** Micro-USDC per hour. */
export const RESOURCE_PRICES = { perCpuCore: 1_000n, perMemoryGiB: 139n, perStorageGiB: 14n } as const;

export const STORAGE_CLASSES = ['default', 'beta1', 'beta2', 'beta3'] as const;

/** What a standing policy accepts without asking: any lease up to thirty days. */
export const POLICY = { autoAccept: true, minDurationSeconds: 0, maxDurationSeconds: 2_592_000 } as const;
