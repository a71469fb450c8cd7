import { readGpuName, readMigProfile, sharingText } from '@gridbourse/catalog';
import type { GpuRequest, OfferGpu } from '@gridbourse/events';
import { conflict, type DomainError } from '@gridbourse/kernel';
import type { LeaseTerms, NodeFacts } from './object-types.ts';

export const WHOLE_GPUS = { nvidia: 'nvidia.com/gpu', amd: 'amd.com/gpu' } as const;
const SHARED_GPU = 'nvidia.com/gpu.shared';
const PRODUCT_LABEL = 'nvidia.com/gpu.product';
const REPLICAS_LABEL = 'nvidia.com/gpu.replicas';

type Sharing = OfferGpu['sharing'];
type Requirement = { readonly key: string; readonly operator: 'In'; readonly values: readonly string[] };

/** What a container asks the machine for, and what the machine must say of itself while the pod may be placed on it. */
export type GpuUnit = {
  readonly resource: string;
  readonly requirements: readonly Requirement[];
};

const mismatch = (message: string): DomainError => conflict('gpu_mismatch', message);

/**
 * What one GPU of the lease is. A lease of before says nothing of its offer, and was for whole GPUs.
 * @throws DomainError `gpu_mismatch` when order and offer mean different things
 */
const soldAs = (lease: LeaseTerms, gpu: GpuRequest): Sharing => {
  const sharing: Sharing = lease.gpu?.sharing ?? { mode: 'whole' };
  if (sharing.mode !== gpu.sharing.mode) {
    throw mismatch(
      `the order is for GPUs in mode ${gpu.sharing.mode}, the offer sells ${sharingText(sharing)}`,
    );
  }
  if (sharing.mode !== 'mig') return sharing;
  const wanted = gpu.models.filter(({ model }) => model === lease.gpu?.model);
  const fits = wanted.some(({ migProfile }) => migProfile === null || migProfile === sharing.profile);
  if (wanted.length > 0 && !fits) throw mismatch(`the order is not for MIG slices of ${sharing.profile}`);
  return sharing;
};

const fitsModel = (product: string, { models }: GpuRequest): boolean => {
  const name = readGpuName(product);
  return (
    models.length === 0 ||
    models.some(
      ({ model, interface: bus }) =>
        name?.model.id === model && (bus === null || name.interface === null || name.interface === bus),
    )
  );
};

/** In which ways the machine says that its GPUs are divided; every sign counts. */
const signsOf = ({ gpuProduct, gpuReplicas, gpuResources }: NodeFacts) => {
  const name = gpuProduct === null ? null : readGpuName(gpuProduct);
  const replicas = gpuReplicas ?? 1;
  return {
    labelProfile: name?.sharing.kind === 'mig' ? name.sharing.profile : null,
    slots: replicas > 1 ? replicas : null,
    slotted: replicas > 1 || name?.sharing.kind === 'shared' || gpuResources.includes(SHARED_GPU),
    slices: gpuResources.filter((resource) => resource.startsWith('nvidia.com/mig-')),
  };
};

/** The device plugin's name for slices of a profile: a resource name can hold no plus sign. */
const sliceResource = (profile: string): string => `nvidia.com/mig-${profile.replace('+', '.')}`;

const resourceOn = (sharing: Sharing, node: string, facts: NodeFacts): string => {
  const { labelProfile, slots, slotted, slices } = signsOf(facts);
  const has = (resource: string): boolean => facts.gpuResources.includes(resource);
  const otherwise = (what: string): DomainError =>
    mismatch(`machine ${node} ${what}, the lease is for ${sharingText(sharing)}`);
  if (sharing.mode === 'whole') {
    if (labelProfile !== null) throw otherwise(`has MIG slices of ${labelProfile}`);
    if (slotted) throw otherwise('shares its GPUs by time');
    return WHOLE_GPUS.nvidia;
  }
  if (sharing.mode === 'mig') {
    if (slotted) throw otherwise('shares its GPUs by time');
    const own = slices.find((name) => readMigProfile(name.slice('nvidia.com/'.length)) === sharing.profile);
    if (own !== undefined) return own;
    if (labelProfile === sharing.profile) return WHOLE_GPUS.nvidia;
    throw otherwise(labelProfile === null ? 'has no such slices' : `has MIG slices of ${labelProfile}`);
  }
  if (labelProfile !== null || slices.length > 0) throw otherwise('has MIG slices');
  if (!slotted) throw otherwise('does not share its GPUs');
  if (slots !== null && slots !== sharing.slotsPerGpu) throw otherwise(`has ${slots} slots a GPU`);
  return has(SHARED_GPU) ? SHARED_GPU : WHOLE_GPUS.nvidia;
};

/** What to ask a machine for of which nothing is known: names that no machine gives to anything else. */
const resourceUnseen = (sharing: Sharing): string => {
  switch (sharing.mode) {
    case 'whole':
      return WHOLE_GPUS.nvidia;
    case 'mig':
      return sliceResource(sharing.profile);
    case 'shared':
      return SHARED_GPU;
  }
};

const labelsToKeep = ({ gpuProduct, gpuReplicas }: NodeFacts, sharing: Sharing): Requirement[] => [
  ...(gpuProduct === null ? [] : [{ key: PRODUCT_LABEL, operator: 'In' as const, values: [gpuProduct] }]),
  ...(sharing.mode === 'shared' && gpuReplicas !== null
    ? [{ key: REPLICAS_LABEL, operator: 'In' as const, values: [`${gpuReplicas}`] }]
    : []),
];

/**
 * The resource that stands for one GPU of this lease on that machine. Slots, slices and whole GPUs never stand in for
 * each other: with time slicing that is not renamed, and with MIG strategy `single`, they even have the same name.
 * @throws DomainError `gpu_mismatch` when the machine's GPUs are others than the lease is for, or are divided otherwise
 */
export const gpuUnit = (
  lease: LeaseTerms,
  gpu: GpuRequest,
  node: string,
  facts: NodeFacts | undefined,
): GpuUnit => {
  const sharing = soldAs(lease, gpu);
  if (gpu.vendor !== 'nvidia') return { resource: WHOLE_GPUS[gpu.vendor], requirements: [] };
  if (facts?.gpuProduct && !fitsModel(facts.gpuProduct, gpu)) {
    const wanted = gpu.models.map(({ model }) => model).join(' or ');
    throw mismatch(`machine ${node} has ${facts.gpuProduct}, the lease is for ${wanted}`);
  }
  // A machine whose kubelet has not yet counted any GPUs, and that no label describes, says nothing.
  const silent = !facts || (facts.gpuProduct === null && facts.gpuResources.length === 0);
  return silent
    ? { resource: resourceUnseen(sharing), requirements: [] }
    : { resource: resourceOn(sharing, node, facts), requirements: labelsToKeep(facts, sharing) };
};

/**
 * How many of each resource the lease pays for, over all its machines.
 * @throws DomainError `gpu_mismatch`
 */
export const gpuTotals = (
  lease: LeaseTerms,
  nodes: Readonly<Record<string, NodeFacts>>,
): Map<string, number> => {
  const totals = new Map<string, number>(Object.values(WHOLE_GPUS).map((resource) => [resource, 0]));
  const services = new Map(lease.group.services.map((service) => [service.name, service]));
  for (const { service, node } of lease.placements) {
    const gpu = services.get(service)?.resources.gpu;
    if (!gpu) continue;
    const { resource } = gpuUnit(lease, gpu, node, nodes[node]);
    totals.set(resource, (totals.get(resource) ?? 0) + gpu.count);
  }
  return totals;
};
