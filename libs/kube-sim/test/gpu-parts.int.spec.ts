import { describe, expect, it } from '@jest/globals';
import { gpuNode, startCluster, until } from './cluster.ts';

// Real: @kubernetes/client-node 2.0.1 over HTTP on 127.0.0.1. The cluster is kube-sim, ten times as fast as usual.

describe('parts of GPUs', () => {
  it.each([
    [
      'slots',
      {
        product: 'NVIDIA-L4',
        sharing: { mode: 'shared', slotsPerGpu: 4, renamed: true },
        labels: { 'nvidia.com/gpu.product': 'NVIDIA-L4', 'nvidia.com/gpu.replicas': '4' },
      },
      'nvidia.com/gpu.shared',
    ],
    [
      'slots under the old name',
      {
        product: 'NVIDIA-L4',
        sharing: { mode: 'shared', slotsPerGpu: 4, renamed: false },
        labels: { 'nvidia.com/gpu.product': 'NVIDIA-L4-SHARED', 'nvidia.com/gpu.count': '1' },
      },
      'nvidia.com/gpu',
    ],
    [
      'slices',
      {
        product: 'NVIDIA-A30',
        sharing: { mode: 'mig', profile: '1g.6gb', slicesPerGpu: 4, sliceMiB: 5_952, strategy: 'mixed' },
        labels: { 'nvidia.com/gpu.product': 'NVIDIA-A30', 'nvidia.com/mig.strategy': 'mixed' },
      },
      'nvidia.com/mig-1g.6gb',
    ],
    [
      'slices under the name of GPUs',
      {
        product: 'NVIDIA-A30',
        sharing: { mode: 'mig', profile: '1g.6gb', slicesPerGpu: 4, sliceMiB: 5_952, strategy: 'single' },
        labels: { 'nvidia.com/gpu.product': 'NVIDIA-A30-MIG-1g.6gb', 'nvidia.com/gpu.memory': '5952' },
      },
      'nvidia.com/gpu',
    ],
  ] as const)('%s are given out, and no more of them than there are', async (_, gpu, resource) => {
    const other = await startCluster({
      nodes: [
        gpuNode('parts', { gpus: 4, gpu: { product: gpu.product, vramMiB: 24_576, sharing: gpu.sharing } }),
      ],
    });
    try {
      const node = await other.core.readNode({ name: 'parts' });
      expect(node.metadata!.labels).toMatchObject(gpu.labels);
      expect(node.status!.allocatable![resource]).toBe('4');
      const pod = (name: string, count: number, asked: string = resource) => ({
        metadata: { name },
        spec: { containers: [{ name: 'c', image: 'x', resources: { limits: { [asked]: String(count) } } }] },
      });
      const create = (body: ReturnType<typeof pod>) =>
        other.core.createNamespacedPod({ namespace: 'default', body });
      const statusOf = async (name: string) =>
        (await other.core.readNamespacedPod({ namespace: 'default', name })).status!;
      const refusal = (name: string) =>
        until('a reason', async () =>
          (await statusOf(name)).conditions?.find(({ reason }) => reason === 'Unschedulable'),
        );
      await create(pod('three', 3));
      await until('three running', async () => (await statusOf('three')).phase === 'Running');
      await create(pod('two', 2));
      expect((await refusal('two')).message).toContain(`Insufficient ${resource}`);
      if (resource !== 'nvidia.com/gpu') {
        await create(pod('whole', 1, 'nvidia.com/gpu'));
        expect((await refusal('whole')).message).toContain('Insufficient nvidia.com/gpu');
      }
      await other.core.deleteNamespacedPod({ namespace: 'default', name: 'three' });
      await until('two running', async () => (await statusOf('two')).phase === 'Running');
      other.sim.faults.limitGpus('parts', 1);
      expect((await other.core.readNode({ name: 'parts' })).status!.allocatable![resource]).toBe('1');
    } finally {
      await other.sim.close();
    }
  });
});
