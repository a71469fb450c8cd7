import type { MarketOffer, MarketProvider } from '@gridbourse/catalog';
import { formatUsdc } from '@gridbourse/kernel';
import type { SimNode } from '@gridbourse/kube-sim';
import type { PriceRule } from '@gridbourse/provider-agent';
import { gpuProduct } from './gpu-product.ts';

/** The machines of a provider's cluster. */
export const nodesOf = (provider: MarketProvider): SimNode[] =>
  provider.offers.flatMap(({ gpu, nodes }) =>
    nodes.map(({ name, gpus, cpuMillis, memoryMiB, storageMiB }) => ({
      ...{ name, cpuMillis, memoryMiB, storageMiB },
      ...(gpu ? { gpus, gpu: { product: gpuProduct(gpu), vramMiB: gpu.vramMiB, vendor: gpu.vendor } } : {}),
    })),
  );

const labelOf = ({ gpu }: MarketOffer, index: number): string =>
  gpu ? `${gpu.model}-${index + 1}` : `cpu-${index + 1}`;

/** What its agent asks for them: each offer of the catalogue's market has machines of its own. */
export const pricesOf = (provider: MarketProvider): PriceRule[] =>
  provider.offers.map((offer, index) => ({
    label: labelOf(offer, index),
    match: { nodes: offer.nodes.map(({ name }) => name) },
    ...(offer.gpu ? { gpuInterface: offer.gpu.interface } : {}),
    price: {
      perGpuUsdcPerHour: formatUsdc(offer.price.perGpu),
      perCpuCoreUsdcPerHour: formatUsdc(offer.price.perCpuCore),
      perMemoryGiBUsdcPerHour: formatUsdc(offer.price.perMemoryGiB),
      perStorageGiBUsdcPerHour: formatUsdc(offer.price.perStorageGiB),
    },
    policy: { ...offer.policy },
    storageClasses: [...offer.storageClasses],
  }));

export const storageClassesOf = (provider: MarketProvider): string[] => [
  ...new Set(provider.offers.flatMap((offer) => offer.storageClasses)),
];

/** What a provider of the local market takes off its list prices in auctions, per cent: not all alike, always the same. */
export const discountOf = (provider: MarketProvider): number =>
  5 + ([...provider.key].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % 10);
