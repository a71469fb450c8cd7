import { sharingText } from '@gridbourse/catalog';
import type { OfferGpu, OfferNode, OfferPrice, OfferPublished } from '@gridbourse/events';
import { canonicalJson } from '@gridbourse/kernel';
import type { Capacities, NodeCapacity } from './inventory.ts';

export type OfferPolicy = {
  readonly autoAccept: boolean;
  readonly minDurationSeconds: number;
  readonly maxDurationSeconds: number;
};

/** All that a provider says about an offer. */
export type OfferContent = {
  readonly label: string;
  readonly gpu: OfferGpu | null;
  readonly nodes: readonly OfferNode[];
  readonly price: OfferPrice;
  readonly policy: OfferPolicy;
  readonly storageClasses: readonly string[];
  readonly interconnect: OfferPublished['interconnect'];
};

export const sameContent = (a: OfferContent, b: OfferContent): boolean =>
  canonicalJson(a) === canonicalJson(b);
export const sameNodes = (a: readonly OfferNode[], b: readonly OfferNode[]): boolean =>
  canonicalJson(a) === canonicalJson(b);

const least = (declared: number, reported: number | null, current: number): number =>
  reported === null ? current : Math.min(declared, reported);

const gpusOf = (node: OfferNode, gpu: OfferGpu | null, capacity: NodeCapacity, current: number): number => {
  const { gpuModel, gpuSharing } = capacity;
  const anotherModel = gpu !== null && gpuModel !== null && gpuModel !== gpu.model;
  // A slot sold as a whole GPU would cheat the tenant, a whole GPU sold as a slot the provider.
  const soldOtherwise = gpu !== null && gpuSharing !== null && gpuSharing !== sharingText(gpu.sharing);
  return anotherModel || soldOtherwise ? 0 : least(node.gpus, capacity.gpus, current);
};

/**
 * What can be sold of the declared machines: never more than declared, never more than their cluster reports, and no
 * GPUs of another model than the offer's, nor such as are divided otherwise than it says. What is not known stays as it is in `current`, and is as declared at first.
 */
export const sellableNodes = (
  content: OfferContent,
  capacities: Capacities,
  current: readonly OfferNode[] = [],
): OfferNode[] => {
  const currentByName = new Map(current.map((node) => [node.name, node]));
  return content.nodes.map((node) => {
    const now = currentByName.get(node.name) ?? node;
    const capacity = capacities.get(node.name);
    if (!capacity) return { ...now };
    return {
      name: node.name,
      gpus: gpusOf(node, content.gpu, capacity, now.gpus),
      cpuMillis: least(node.cpuMillis, capacity.cpuMillis, now.cpuMillis),
      memoryMiB: least(node.memoryMiB, capacity.memoryMiB, now.memoryMiB),
      storageMiB: least(node.storageMiB, capacity.storageMiB, now.storageMiB),
    };
  });
};
