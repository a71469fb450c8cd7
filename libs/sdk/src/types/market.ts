import type { Money } from './common.ts';

type Location = { latitude: number; longitude: number };

export type ProviderRequest = {
  name: string;
  /** Without a region, the region of the place. */
  place: { country: string; city?: string; region?: string; location: Location };
  attributes?: Record<string, string>;
};

export type Provider = {
  providerId: string;
  name: string;
  place: { region: string; country: string; city: string; location: Location };
  attributes: Record<string, string>;
  state: 'registered' | 'active' | 'unreachable' | 'offline' | 'suspended';
  tier: number;
  chainProviderId: number | null;
  stake: Money;
  lastSeenAt: string | null;
  registeredAt: string;
};

/** GPUs of an offer as a lease gets them: one of them is a whole GPU, a slice, or a slot, as `sharing` says. */
export type OfferedGpu = {
  model: string;
  vendor: 'nvidia' | 'amd';
  /** Of the whole card. */
  vramMiB: number;
  interface: 'pcie' | 'sxm';
  sharing: { mode: 'whole' } | { mode: 'mig'; profile: string } | { mode: 'shared'; slotsPerGpu: number };
};

export type OfferNode = {
  name: string;
  gpus: number;
  cpuMillis: number;
  memoryMiB: number;
  storageMiB: number;
};

/** Prices in decimal USDC per hour. */
export type OfferRequest = {
  /** Replaces this offer. */
  offerId?: string;
  /** Tells apart offers of one GPU model; letters, digits, dots, hyphens. */
  label?: string;
  /** Null: plain CPU machines. Without `sharing` whole GPUs are sold; else `nodes[].gpus` and `perGpu` are of slices or slots. */
  gpu: { model: string; vramMiB: number; interface: 'pcie' | 'sxm'; sharing?: OfferedGpu['sharing'] } | null;
  nodes: OfferNode[];
  price: {
    perGpuUsdcPerHour: string;
    perCpuCoreUsdcPerHour: string;
    perMemoryGiBUsdcPerHour: string;
    perStorageGiBUsdcPerHour: string;
  };
  policy: { autoAccept: boolean; minDurationSeconds?: number; maxDurationSeconds: number };
  storageClasses?: string[];
  /** The network between the machines; `ethernet` when it is not said. */
  interconnect?: Offer['interconnect'];
};

/** Which offers a list shows. */
export type OfferFilter = {
  /** By any name the catalogue knows. */
  model?: string;
  region?: string;
  /** What is sold of the GPUs. */
  sharing?: OfferedGpu['sharing']['mode'];
  /** The slowest network between machines that will do. */
  interconnect?: Offer['interconnect'];
};

export type Offer = {
  offerId: string;
  providerId: string;
  providerName: string;
  revision: number;
  gpu: Omit<OfferedGpu, 'vendor'> | null;
  nodes: number;
  /** In the units that are sold: whole GPUs, slices or slots. `price.perGpu` is that of one. */
  gpusTotal: number;
  price: Record<'perGpu' | 'perCpuCore' | 'perMemoryGiB' | 'perStorageGiB', Money>;
  /** Of the same share of a GPU. */
  listPricePerGpuHour: Money | null;
  saving: number | null;
  region: string;
  interconnect: 'ethernet' | 'roce' | 'infiniband' | 'nvlink';
  policy: { autoAccept: boolean; minDurationSeconds: number; maxDurationSeconds: number };
  /** `available`: its provider is active, so it is matched. */
  state: 'available' | 'unavailable' | 'withdrawn';
};
