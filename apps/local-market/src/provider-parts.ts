import { findMigProfile, type MarketOffer, type MarketProvider, sharingText } from '@gridbourse/catalog';
import { formatUsdc } from '@gridbourse/kernel';
import type { SimNode, SimSharing } from '@gridbourse/kube-sim';
import type { PriceRule } from '@gridbourse/provider-agent';
import { gpuProduct } from './gpu-product.ts';

/** The driver keeps about a twentieth of a slice's memory back, as A100s show: 9728 MiB of `1g.10gb`. */
const USABLE_OF_SLICE = 0.95;

/** How the device plugin of such a machine is set up: MIG strategy `mixed`, and slots under a name of their own. */
const deviceSharing = (gpu: NonNullable<MarketOffer['gpu']>): SimSharing | undefined => {
  const { sharing } = gpu;
  if (sharing.mode === 'whole') return undefined;
  if (sharing.mode === 'shared') return { ...sharing, renamed: true };
  const { instancesPerGpu, memoryMiB } = findMigProfile(gpu, sharing.profile)!;
  return {
    ...sharing,
    slicesPerGpu: instancesPerGpu,
    sliceMiB: Math.floor(memoryMiB * USABLE_OF_SLICE),
    strategy: 'mixed',
  };
};

const deviceOf = (gpu: NonNullable<MarketOffer['gpu']>): NonNullable<SimNode['gpu']> => {
  const sharing = deviceSharing(gpu);
  return {
    ...{ product: gpuProduct(gpu), vramMiB: gpu.vramMiB, vendor: gpu.vendor },
    ...(sharing ? { sharing } : {}),
  };
};

/** The machines of a provider's cluster. */
export const nodesOf = (provider: MarketProvider): SimNode[] =>
  provider.offers.flatMap(({ gpu, nodes }) =>
    nodes.map(({ name, gpus, cpuMillis, memoryMiB, storageMiB }) => ({
      ...{ name, cpuMillis, memoryMiB, storageMiB },
      ...(gpu ? { gpus, gpu: deviceOf(gpu) } : {}),
    })),
  );

const labelOf = ({ gpu }: MarketOffer, index: number): string =>
  gpu ? `${gpu.model}-${index + 1}` : `cpu-${index + 1}`;

/** What its agent asks for them: each offer of the catalogue's market has machines of its own. */
export const pricesOf = (provider: MarketProvider): PriceRule[] =>
  provider.offers.map((offer, index) => ({
    label: labelOf(offer, index),
    match: {
      nodes: offer.nodes.map(({ name }) => name),
      ...(offer.gpu ? { sharing: sharingText(offer.gpu.sharing) } : {}),
    },
    ...(offer.gpu ? { gpuInterface: offer.gpu.interface } : {}),
    price: {
      perGpuUsdcPerHour: formatUsdc(offer.price.perGpu),
      perCpuCoreUsdcPerHour: formatUsdc(offer.price.perCpuCore),
      perMemoryGiBUsdcPerHour: formatUsdc(offer.price.perMemoryGiB),
      perStorageGiBUsdcPerHour: formatUsdc(offer.price.perStorageGiB),
    },
    policy: { ...offer.policy },
    storageClasses: [...offer.storageClasses],
    interconnect: 'ethernet',
  }));

export const storageClassesOf = (provider: MarketProvider): string[] => [
  ...new Set(provider.offers.flatMap((offer) => offer.storageClasses)),
];

/** What a provider of the local market takes off its list prices in auctions, per cent: not all alike, always the same. */
export const discountOf = (provider: MarketProvider): number =>
  5 + ([...provider.key].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % 10);
