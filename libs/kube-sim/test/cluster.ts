import {
  AppsV1Api,
  BatchV1Api,
  CoreV1Api,
  KubeConfig,
  NetworkingV1Api,
  PatchStrategy,
  setHeaderOptions,
  type V1Pod,
} from '@kubernetes/client-node';
import { type KubeSim, type KubeSimOptions, type SimNode, startKubeSim } from '../src/index.ts';

export const gpuNode = (name: string, more: Partial<SimNode> = {}): SimNode => ({
  name,
  cpuMillis: 64_000,
  memoryMiB: 512 * 1_024,
  storageMiB: 1_024 * 1_024,
  gpus: 8,
  gpu: { product: 'NVIDIA-H100-80GB-HBM3', vramMiB: 81_559 },
  ...more,
});

export type Clients = {
  kubeConfig: KubeConfig;
  core: CoreV1Api;
  apps: AppsV1Api;
  batch: BatchV1Api;
  networking: NetworkingV1Api;
};

export const clientsOf = (sim: KubeSim): Clients => {
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromString(sim.kubeconfig);
  return {
    kubeConfig,
    core: kubeConfig.makeApiClient(CoreV1Api),
    apps: kubeConfig.makeApiClient(AppsV1Api),
    batch: kubeConfig.makeApiClient(BatchV1Api),
    networking: kubeConfig.makeApiClient(NetworkingV1Api),
  };
};

export const startCluster = async (
  options: Partial<KubeSimOptions> = {},
): Promise<{ sim: KubeSim } & Clients> => {
  const sim = await startKubeSim({
    nodes: [gpuNode('node-a')],
    speed: 10,
    onError: (error, what) => {
      throw new Error(what, { cause: error });
    },
    ...options,
  });
  return { sim, ...clientsOf(sim) };
};

export type SharedCluster = Clients & {
  readonly sim: KubeSim;
  /** A namespace of a test's own, with its service account. */
  newSpace(labels?: Record<string, string>): Promise<string>;
  pods(namespace: string): Promise<V1Pod[]>;
  close(): Promise<void>;
};

/** A cluster of two machines, of which the second is in pool `b`; each test has a namespace of its own. */
export const startSharedCluster = async (): Promise<SharedCluster> => {
  const cluster = await startCluster({
    nodes: [gpuNode('node-a'), gpuNode('node-b', { labels: { pool: 'b' } })],
  });
  const { core, sim } = cluster;
  let spaces = 0;
  return {
    ...cluster,
    newSpace: async (labels = {}) => {
      const name = `space-${(spaces += 1)}`;
      await core.createNamespace({ body: { metadata: { name, labels } } });
      await until(
        'the default service account',
        async () => (await core.listNamespacedServiceAccount({ namespace: name })).items.length > 0,
      );
      return name;
    },
    pods: async (namespace) => (await core.listNamespacedPod({ namespace })).items,
    close: () => sim.close(),
  };
};

export const apply = setHeaderOptions('Content-Type', PatchStrategy.ServerSideApply);
export const mergePatch = setHeaderOptions('Content-Type', PatchStrategy.MergePatch);

/** Polls until the condition gives something, with a deadline. */
export const until = async <T>(
  what: string,
  condition: () => Promise<T | undefined | null | false> | T | undefined | null | false,
  deadlineMs = 10_000,
): Promise<T> => {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};

export type Failure = {
  code: number;
  message: string;
  reason?: string;
  details?: { causes?: { field: string }[] };
};

/** The Status of a request that must fail. */
export const failureOf = async (request: Promise<unknown>): Promise<Failure> => {
  try {
    await request;
  } catch (error) {
    const { code, body } = error as { code: number; body: unknown };
    const status = (typeof body === 'string' ? JSON.parse(body) : body) as Failure;
    return { ...status, code };
  }
  throw new Error('the request passed');
};

export const deployment = (
  name: string,
  namespace: string,
  options: { replicas?: number; gpus?: number; image?: string; command?: string[] } = {},
) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace },
  spec: {
    replicas: options.replicas ?? 1,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: {
        containers: [
          {
            name: 'main',
            image: options.image ?? 'nginx:1',
            ...(options.command ? { command: options.command } : {}),
            resources: {
              limits: {
                cpu: '1',
                memory: '1Gi',
                ...(options.gpus ? { 'nvidia.com/gpu': String(options.gpus) } : {}),
              },
            },
          },
        ],
      },
    },
  },
});

export const job = (
  name: string,
  namespace: string,
  command: string[],
  more: object = {},
  podMore: object = {},
) => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name, namespace },
  spec: {
    ...more,
    template: {
      spec: {
        restartPolicy: 'Never',
        containers: [{ name: 'main', image: 'busybox:1', command }],
        ...podMore,
      },
    },
  },
});
