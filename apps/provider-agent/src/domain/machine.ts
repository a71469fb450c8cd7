import { findVariant, type GpuModel, nominalVramMiB, readGpuName } from '@gridbourse/catalog';
import type { registryV1 } from '@gridbourse/proto';
import { z } from 'zod';

const quantities = z.record(z.string(), z.union([z.string(), z.number()]));

/** As much of a Kubernetes Node as an agent needs. Strict about what it uses: a changed API must not read as "nothing". */
export const kubernetesNode = z.object({
  metadata: z.object({
    name: z.string().min(1),
    labels: z.record(z.string(), z.string()).default({}),
  }),
  spec: z.object({ unschedulable: z.boolean().optional() }).default({}),
  status: z.object({
    capacity: quantities,
    allocatable: quantities,
    conditions: z.array(z.object({ type: z.string(), status: z.string() })).default([]),
  }),
});
export type KubernetesNode = z.output<typeof kubernetesNode>;

export type MachineGpu = {
  /** As the label has it. */
  readonly product: string;
  readonly model: GpuModel | null;
  /** Nominal where the catalogue knows the model, else as reported. */
  readonly vramMiB: number;
  readonly interface: 'pcie' | 'sxm' | null;
  readonly capacity: number;
  readonly allocatable: number;
};

/** One machine of the cluster. */
export type Machine = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly gpu: MachineGpu | null;
  readonly cpuMillis: number;
  readonly memoryMiB: number;
  readonly storageMiB: number;
  readonly ready: boolean;
};

const FACTORS: Record<string, number> = {
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
};
const MIB = 2 ** 20;

/** A Kubernetes quantity in its base unit; 0 when it is absent or cannot be read. */
export const readQuantity = (quantity: string | number | undefined): number => {
  if (typeof quantity === 'number') return quantity;
  const match = /^(\d+(?:\.\d+)?(?:[eE]\d+)?)(m|[kMGTP]|[KMGTP]i)?$/.exec(quantity ?? '');
  if (!match) return 0;
  return Number(match[1]) * (match[2] === undefined ? 1 : (FACTORS[match[2]] ?? 0));
};

/** GPU Feature Discovery's labels for NVIDIA, the AMD device plugin's labeller for AMD. */
const GPU_LABELS = [
  { resource: 'nvidia.com/gpu', product: 'nvidia.com/gpu.product', memory: 'nvidia.com/gpu.memory' },
  { resource: 'amd.com/gpu', product: 'amd.com/gpu.product-name', memory: 'amd.com/gpu.vram' },
] as const;

/** GPU Feature Discovery counts MiB (`81559`), AMD's labeller writes `192G`. */
const readVramMiB = (text: string | undefined): number => {
  const match = /^(\d+)(G?)$/.exec(text ?? '');
  return match ? Number(match[1]) * (match[2] === 'G' ? 1_024 : 1) : 0;
};

const gpuOf = ({ metadata: { labels }, status }: KubernetesNode): MachineGpu | null => {
  for (const names of GPU_LABELS) {
    const capacity = readQuantity(status.capacity[names.resource]);
    const product = labels[names.product];
    if (capacity === 0 && product === undefined) continue;
    const name = product === undefined ? null : readGpuName(product);
    const reportedMiB = readVramMiB(labels[names.memory]);
    const nominalMiB =
      name && reportedMiB > 0 ? nominalVramMiB(name.model, reportedMiB) : (name?.vramMiB ?? null);
    const variant = name && findVariant(name.model, { vramMiB: nominalMiB, interface: name.interface });
    return {
      product: product ?? '',
      model: name?.model ?? null,
      vramMiB: nominalMiB ?? (reportedMiB > 0 ? reportedMiB : (variant?.vramMiB ?? 0)),
      interface: name?.interface ?? variant?.interface ?? null,
      capacity,
      allocatable: readQuantity(status.allocatable[names.resource]),
    };
  }
  return null;
};

export const machineOf = (node: KubernetesNode): Machine => {
  const { allocatable, conditions } = node.status;
  const ready = conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
  return {
    name: node.metadata.name,
    labels: node.metadata.labels,
    gpu: gpuOf(node),
    cpuMillis: Math.floor(readQuantity(allocatable['cpu']) * 1_000),
    memoryMiB: Math.floor(readQuantity(allocatable['memory']) / MIB),
    storageMiB: Math.floor(readQuantity(allocatable['ephemeral-storage']) / MIB),
    ready: ready && node.spec.unschedulable !== true,
  };
};

/** A machine as heartbeats tell it. */
export const reportOf = (machine: Machine): registryV1.NodeInventory => ({
  name: machine.name,
  gpuModel: machine.gpu?.model?.id ?? machine.gpu?.product ?? '',
  gpuCapacity: machine.gpu?.capacity ?? 0,
  gpuAllocatable: machine.gpu?.allocatable ?? 0,
  vramMib: machine.gpu?.vramMiB ?? 0,
  cpuMillisAllocatable: machine.cpuMillis,
  memoryMibAllocatable: machine.memoryMiB,
  storageMibAllocatable: machine.storageMiB,
  ready: machine.ready,
  xidErrors: [],
});

/** A machine that nobody can say anything about now: it is not claimed to have anything. */
export const unknownReport = (name: string): registryV1.NodeInventory => ({
  name,
  gpuModel: '',
  gpuCapacity: 0,
  gpuAllocatable: 0,
  vramMib: 0,
  cpuMillisAllocatable: 0,
  memoryMibAllocatable: 0,
  storageMibAllocatable: 0,
  ready: false,
  xidErrors: [],
});
