import type { ResourceList, Taint } from './objects.ts';

/** A machine of the cluster. Figures are what pods may take (allocatable). */
export type SimNode = {
  name: string;
  cpuMillis: number;
  memoryMiB: number;
  /** Ephemeral storage. */
  storageMiB: number;
  gpus?: number;
  gpu?: {
    /** As GPU Feature Discovery writes it, for example `NVIDIA-H100-80GB-HBM3`. */
    product: string;
    vramMiB: number;
    /** `nvidia` or `amd`; decides the resource name. */
    vendor?: 'nvidia' | 'amd';
  };
  /** 110 when absent. */
  pods?: number;
  labels?: Record<string, string>;
  taints?: Taint[];
};

export const gpuResource = (vendor: 'nvidia' | 'amd' | undefined): string => `${vendor ?? 'nvidia'}.com/gpu`;

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
    'nvidia.com/gpu.count': String(gpus),
    'nvidia.com/gpu.product': gpu.product,
    'nvidia.com/gpu.memory': String(gpu.vramMiB),
    'nvidia.com/gpu.replicas': '1',
    'nvidia.com/gpu.sharing-strategy': 'none',
    'nvidia.com/mig.strategy': 'single',
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
    ...(node.gpu && node.gpus ? { [gpuResource(node.gpu.vendor)]: String(node.gpus) } : {}),
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
