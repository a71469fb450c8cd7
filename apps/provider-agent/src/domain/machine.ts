import { sharingText } from '@gridbourse/catalog';
import type { registryV1 } from '@gridbourse/proto';
import { z } from 'zod';
import { gpuOf, type MachineGpu } from './machine-gpu.ts';
import { readQuantity } from './quantity.ts';

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

const MIB = 2 ** 20;

export const machineOf = (node: KubernetesNode): Machine => {
  const { allocatable, conditions } = node.status;
  const ready = conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
  return {
    name: node.metadata.name,
    labels: node.metadata.labels,
    gpu: gpuOf(node.metadata.labels, node.status),
    cpuMillis: Math.floor(readQuantity(allocatable['cpu']) * 1_000),
    memoryMiB: Math.floor(readQuantity(allocatable['memory']) / MIB),
    storageMiB: Math.floor(readQuantity(allocatable['ephemeral-storage']) / MIB),
    ready: ready && node.spec.unschedulable !== true,
  };
};

/** Whole GPUs go without saying: so they do for a platform of before, which knows nothing of the field. */
const sharingOf = ({ gpu }: Machine): string => {
  if (gpu === null) return '';
  if (gpu.sharing === null) return 'unsaleable';
  return gpu.sharing.mode === 'whole' ? '' : sharingText(gpu.sharing);
};

/** A machine as heartbeats tell it. */
export const reportOf = (machine: Machine): registryV1.NodeInventory => ({
  name: machine.name,
  gpuModel: machine.gpu?.model?.id ?? machine.gpu?.product ?? '',
  gpuSharing: sharingOf(machine),
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
  gpuSharing: '',
  gpuCapacity: 0,
  gpuAllocatable: 0,
  vramMib: 0,
  cpuMillisAllocatable: 0,
  memoryMibAllocatable: 0,
  storageMibAllocatable: 0,
  ready: false,
  xidErrors: [],
});
