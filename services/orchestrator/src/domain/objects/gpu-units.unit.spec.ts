import type { GpuRequest, OfferGpu, ServiceSpec } from '@gridbourse/events';
import { describe, expect, it } from '@jest/globals';
import { leaseOf, serviceOf } from '../../../test/support/fixtures.ts';
import { objectOptions } from '../../../test/support/object-options.ts';
import { nodeFacts, nodeSchema } from '../../adapters/kubernetes/cluster-schemas.ts';
import { gpuTotals, gpuUnit } from './gpu-units.ts';
import type { NodeFacts } from './object-types.ts';
import { workloadObjects } from './workload-objects.ts';

const WHOLE: OfferGpu['sharing'] = { mode: 'whole' };
const SLICE: OfferGpu['sharing'] = { mode: 'mig', profile: '1g.10gb' };
const SLOT: OfferGpu['sharing'] = { mode: 'shared', slotsPerGpu: 4 };

const requestOf = (sharing: OfferGpu['sharing'], more: Partial<GpuRequest> = {}): GpuRequest => ({
  count: 2,
  vendor: 'nvidia',
  sharing: sharing.mode === 'shared' ? { mode: 'shared', milli: 250 } : { mode: sharing.mode },
  models: [
    {
      ...{ model: 'a100', vramMiB: null, interface: null },
      migProfile: sharing.mode === 'mig' ? sharing.profile : null,
    },
  ],
  ...more,
});
const leaseFor = (sharing: OfferGpu['sharing'] | null, service: ServiceSpec = serviceOf()) =>
  leaseOf({
    services: [service],
    gpu: sharing && { model: 'a100', vendor: 'nvidia', vramMiB: 81_920, interface: 'sxm', sharing },
  });

const PRODUCT = 'NVIDIA-A100-SXM4-80GB';
const machine = (
  product: string | null,
  gpus: Record<string, string>,
  labels: Record<string, string> = {},
): NodeFacts =>
  nodeFacts(
    nodeSchema.parse({
      metadata: {
        name: 'n',
        labels: { ...(product === null ? {} : { 'nvidia.com/gpu.product': product }), ...labels },
      },
      status: { capacity: { cpu: '64', ...gpus } },
    }),
  );
const MACHINES = {
  whole: machine(PRODUCT, { 'nvidia.com/gpu': '8' }, { 'nvidia.com/gpu.replicas': '1' }),
  single: machine(`${PRODUCT}-MIG-1g.10gb`, { 'nvidia.com/gpu': '56' }),
  mixed: machine(PRODUCT, { 'nvidia.com/mig-1g.10gb': '56', 'nvidia.com/gpu': '0' }),
  otherSlices: machine(PRODUCT, { 'nvidia.com/mig-2g.20gb': '24' }),
  suffixed: machine(`${PRODUCT}-SHARED`, { 'nvidia.com/gpu': '32' }, { 'nvidia.com/gpu.replicas': '4' }),
  renamed: machine(PRODUCT, { 'nvidia.com/gpu.shared': '32' }, { 'nvidia.com/gpu.replicas': '4' }),
  numbered: machine(PRODUCT, { 'nvidia.com/gpu': '32' }, { 'nvidia.com/gpu.replicas': '4' }),
  finer: machine(PRODUCT, { 'nvidia.com/gpu.shared': '64' }, { 'nvidia.com/gpu.replicas': '8' }),
  silent: machine(null, {}),
} as const;

const unitOn = (sharing: OfferGpu['sharing'], name: keyof typeof MACHINES) =>
  gpuUnit(leaseFor(sharing), requestOf(sharing), 'n', MACHINES[name]);

describe('what a container asks for', () => {
  it.each([
    [WHOLE, 'whole', 'nvidia.com/gpu'],
    [WHOLE, 'silent', 'nvidia.com/gpu'],
    [SLICE, 'single', 'nvidia.com/gpu'],
    [SLICE, 'mixed', 'nvidia.com/mig-1g.10gb'],
    [SLICE, 'silent', 'nvidia.com/mig-1g.10gb'],
    [SLOT, 'suffixed', 'nvidia.com/gpu'],
    [SLOT, 'renamed', 'nvidia.com/gpu.shared'],
    [SLOT, 'numbered', 'nvidia.com/gpu'],
    [SLOT, 'silent', 'nvidia.com/gpu.shared'],
  ] as const)('%j on a machine that is %s: %s', (sharing, name, resource) =>
    expect(unitOn(sharing, name).resource).toBe(resource),
  );

  it.each([
    [WHOLE, ['single', 'suffixed', 'renamed', 'numbered', 'finer']],
    [SLICE, ['whole', 'otherSlices', 'suffixed', 'renamed', 'numbered']],
    [SLOT, ['whole', 'single', 'mixed', 'finer']],
  ] as const)('%j is never taken from a machine that has other units', (sharing, names) => {
    for (const name of names) {
      expect(() => unitOn(sharing, name)).toThrow(expect.objectContaining({ code: 'gpu_mismatch' }));
    }
  });

  it('of whole GPUs finds none where all are sliced: the scheduler will say so', () => {
    expect(unitOn(WHOLE, 'mixed').resource).toBe('nvidia.com/gpu');
  });

  it('is as before for a lease that does not know its offer, and then only whole GPUs', () => {
    expect(gpuUnit(leaseFor(null), requestOf(WHOLE), 'n', MACHINES.whole).resource).toBe('nvidia.com/gpu');
    expect(() => gpuUnit(leaseFor(null), requestOf(SLOT), 'n', MACHINES.renamed)).toThrow('mode shared');
    expect(() => gpuUnit(leaseFor(SLOT), requestOf(WHOLE), 'n', MACHINES.whole)).toThrow('mode whole');
    expect(() => gpuUnit(leaseFor(WHOLE), requestOf(SLICE), 'n', MACHINES.mixed)).toThrow('mode mig');
  });

  it('is not a slice of another profile than the order names', () => {
    const other = requestOf({ mode: 'mig', profile: '2g.20gb' });
    expect(() => gpuUnit(leaseFor(SLICE), other, 'n', MACHINES.mixed)).toThrow('1g.10gb');
    const any = requestOf(SLICE, {
      models: [{ model: 'a100', vramMiB: null, interface: null, migProfile: null }],
    });
    expect(gpuUnit(leaseFor(SLICE), any, 'n', MACHINES.mixed).resource).toBe('nvidia.com/mig-1g.10gb');
  });

  it('writes media engines as a resource name can', () => {
    const media = { mode: 'mig', profile: '1g.10gb+me' } as const;
    const unit = (facts: NodeFacts) => gpuUnit(leaseFor(media), requestOf(media), 'n', facts).resource;
    expect(unit(MACHINES.silent)).toBe('nvidia.com/mig-1g.10gb.me');
    expect(unit(machine(PRODUCT, { 'nvidia.com/mig-1g.10gb.me': '1' }))).toBe('nvidia.com/mig-1g.10gb.me');
  });
});

describe('the objects of a lease of parts of GPUs', () => {
  const objectsOn = (sharing: OfferGpu['sharing'], name: keyof typeof MACHINES) => {
    const service = serviceOf({
      replicas: 3,
      resources: { cpuMillis: 500, memoryMiB: 512, gpu: requestOf(sharing), volumes: [] },
    });
    const nodes = { 'node-1': { ...MACHINES[name], hostname: 'node-1' } };
    const objects = workloadObjects(leaseFor(sharing, service), null, objectOptions({ nodes }));
    const quota = objects.guards.find(({ kind }) => kind === 'ResourceQuota') as unknown as {
      spec: { hard: Record<string, string> };
    };
    const controller = objects.running.find(({ kind }) => kind === 'Deployment') as unknown as {
      spec: { template: { spec: Record<string, unknown> } };
    };
    return { hard: quota.spec.hard, pod: controller.spec.template.spec };
  };

  it('ask for slots, have a quota of just those, and stay where slots are of that size', () => {
    const { hard, pod } = objectsOn(SLOT, 'renamed');
    expect(pod).toMatchObject({
      containers: [{ resources: { limits: { 'nvidia.com/gpu.shared': '2' } } }],
      tolerations: [{ key: 'nvidia.com/gpu' }, { key: 'nvidia.com/gpu.shared' }],
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [
              {
                matchExpressions: [
                  { key: 'kubernetes.io/hostname', values: ['node-1'] },
                  { key: 'nvidia.com/gpu.product', values: [PRODUCT] },
                  { key: 'nvidia.com/gpu.replicas', values: ['4'] },
                ],
              },
            ],
          },
        },
      },
    });
    expect(JSON.stringify(pod)).not.toContain('"nvidia.com/gpu":');
    expect(hard).toMatchObject({
      'requests.nvidia.com/gpu.shared': '6',
      'requests.nvidia.com/gpu': '0',
      'requests.amd.com/gpu': '0',
    });
  });

  it('ask for slices by whichever name the machine has for them', () => {
    const mixed = objectsOn(SLICE, 'mixed');
    expect(mixed.pod).toMatchObject({
      containers: [{ resources: { requests: { 'nvidia.com/mig-1g.10gb': '2' } } }],
    });
    expect(mixed.hard).toMatchObject({
      'requests.nvidia.com/mig-1g.10gb': '6',
      'requests.nvidia.com/gpu': '0',
    });
    const single = objectsOn(SLICE, 'single');
    expect(single.pod).toMatchObject({
      containers: [{ resources: { requests: { 'nvidia.com/gpu': '2' } } }],
    });
    expect(single.hard).toMatchObject({ 'requests.nvidia.com/gpu': '6' });
  });

  it('count by the machine that each replica is on', () => {
    const service = serviceOf({
      replicas: 2,
      resources: { cpuMillis: 500, memoryMiB: 512, gpu: requestOf(SLICE), volumes: [] },
    });
    const lease = {
      ...leaseFor(SLICE, service),
      placements: ['a', 'b'].map((node, replica) => ({ service: 'web', replica, node })),
    };
    const totals = gpuTotals(lease, { a: MACHINES.single, b: MACHINES.mixed });
    expect(Object.fromEntries(totals)).toEqual({
      'nvidia.com/gpu': 2,
      'nvidia.com/mig-1g.10gb': 2,
      'amd.com/gpu': 0,
    });
  });
});
