import type { ResourceList, Taint } from './objects.ts';

/** The ways in which NVIDIA's device plugin hands out parts of GPUs. */
export type SimSharing =
  | {
      mode: 'mig';
      /** `1g.10gb`, `1g.10gb+me`. */
      profile: string;
      slicesPerGpu: number;
      /** Of one slice, as the driver reports it. */
      sliceMiB: number;
      /** `mixed` gives each profile a resource of its own; `single` keeps `nvidia.com/gpu` and renames the product. */
      strategy: 'single' | 'mixed';
    }
  | {
      mode: 'shared';
      slotsPerGpu: number;
      /** Renamed, the resource is `nvidia.com/gpu.shared`; else `nvidia.com/gpu`, and the product is called `-SHARED`. */
      renamed: boolean;
    };

/** A machine of the cluster. Figures are what pods may take (allocatable). */
export type SimNode = {
  name: string;
  cpuMillis: number;
  memoryMiB: number;
  /** Ephemeral storage. */
  storageMiB: number;
  /** What the device plugin counts: whole GPUs, or slices or slots where `gpu.sharing` says so. */
  gpus?: number;
  gpu?: {
    /** As GPU Feature Discovery writes it, for example `NVIDIA-H100-80GB-HBM3`. */
    product: string;
    vramMiB: number;
    /** `nvidia` or `amd`; decides the resource name. */
    vendor?: 'nvidia' | 'amd';
    /** NVIDIA only. Whole GPUs when absent. */
    sharing?: SimSharing;
  };
  /** 110 when absent. */
  pods?: number;
  labels?: Record<string, string>;
  taints?: Taint[];
};

/** The resource that `gpus` of such a machine are counted by. */
export const gpuResource = ({ vendor, sharing }: NonNullable<SimNode['gpu']>): string => {
  if (sharing?.mode === 'mig' && sharing.strategy === 'mixed') {
    return `nvidia.com/mig-${sharing.profile.replace('+', '.')}`;
  }
  if (sharing?.mode === 'shared' && sharing.renamed) return 'nvidia.com/gpu.shared';
  return `${vendor ?? 'nvidia'}.com/gpu`;
};

/** Whatever a device plugin counts GPUs or their parts by. */
export const isGpuResource = (resource: string): boolean =>
  /^(nvidia|amd)\.com\/(gpu(\.shared)?|mig-.+)$/.test(resource);

const sharingLabels = (gpu: NonNullable<SimNode['gpu']>): Record<string, string> => {
  const { product, sharing } = gpu;
  if (sharing?.mode === 'shared') {
    return {
      'nvidia.com/gpu.product': sharing.renamed ? product : `${product}-SHARED`,
      'nvidia.com/gpu.replicas': String(sharing.slotsPerGpu),
      'nvidia.com/gpu.sharing-strategy': 'time-slicing',
    };
  }
  if (sharing?.mode !== 'mig') return {};
  const profile = sharing.profile.replace('+', '.');
  const slice = `${product}-MIG-${profile}`;
  const memory = String(sharing.sliceMiB);
  return sharing.strategy === 'single'
    ? { 'nvidia.com/gpu.product': slice, 'nvidia.com/gpu.memory': memory }
    : {
        'nvidia.com/mig.strategy': 'mixed',
        [`nvidia.com/mig-${profile}.product`]: slice,
        [`nvidia.com/mig-${profile}.memory`]: memory,
        [`nvidia.com/mig-${profile}.replicas`]: '1',
      };
};

const gpusInside = (gpus: number, sharing: SimSharing | undefined): number => {
  if (sharing === undefined) return gpus;
  return Math.ceil(gpus / (sharing.mode === 'mig' ? sharing.slicesPerGpu : sharing.slotsPerGpu));
};

const gpuLabels = ({ gpu, gpus = 0 }: SimNode): Record<string, string> => {
  if (!gpu || gpus === 0) return {};
  if (gpu.vendor === 'amd') {
    return {
      'amd.com/gpu.product-name': gpu.product,
      'amd.com/gpu.vram': `${Math.round(gpu.vramMiB / 1_024)}G`,
    };
  }
  return {
    'nvidia.com/gpu.present': 'true',
    'nvidia.com/gpu.count': String(gpusInside(gpus, gpu.sharing)),
    'nvidia.com/gpu.product': gpu.product,
    'nvidia.com/gpu.memory': String(gpu.vramMiB),
    'nvidia.com/gpu.replicas': '1',
    'nvidia.com/gpu.sharing-strategy': 'none',
    'nvidia.com/mig.strategy': 'single',
    ...sharingLabels(gpu),
  };
};

/** The Node object a kubelet with GPU Feature Discovery would register. */
export const nodeObject = (
  node: SimNode,
  index: number,
): { metadata: object; spec: object; status: object } => {
  const resources: ResourceList = {
    cpu: `${node.cpuMillis}m`,
    memory: `${node.memoryMiB}Mi`,
    'ephemeral-storage': `${node.storageMiB}Mi`,
    pods: String(node.pods ?? 110),
    ...(node.gpu && node.gpus ? { [gpuResource(node.gpu)]: String(node.gpus) } : {}),
  };
  return {
    metadata: {
      name: node.name,
      labels: {
        'kubernetes.io/hostname': node.name,
        'kubernetes.io/arch': 'amd64',
        'kubernetes.io/os': 'linux',
        ...gpuLabels(node),
        ...node.labels,
      },
    },
    spec: { providerID: `kube-sim://${node.name}`, ...(node.taints?.length ? { taints: node.taints } : {}) },
    status: {
      capacity: resources,
      allocatable: resources,
      addresses: [
        { type: 'InternalIP', address: `10.0.${Math.floor(index / 250)}.${(index % 250) + 1}` },
        { type: 'Hostname', address: node.name },
      ],
      nodeInfo: {
        architecture: 'amd64',
        operatingSystem: 'linux',
        osImage: 'kube-sim',
        kernelVersion: '6.8.0',
        kubeletVersion: 'v1.36.3+kube-sim',
        containerRuntimeVersion: 'containerd://2.1.0',
        machineID: node.name,
        bootID: node.name,
        systemUUID: node.name,
        kubeProxyVersion: '',
      },
    },
  };
};
