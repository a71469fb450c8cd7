import { describe, expect, it } from '@jest/globals';
import type { PriceRule } from '../config.ts';
import { kubernetesNode, type Machine, machineOf, readQuantity, reportOf, unknownReport } from './machine.ts';
import { planOffers } from './offers.ts';

const node = (
  labels: Record<string, string>,
  status: object = {},
  conditions = [{ type: 'Ready', status: 'True' }],
) =>
  kubernetesNode.parse({
    metadata: { name: 'n1', labels },
    status: {
      capacity: { cpu: '128', memory: '2Ti', 'ephemeral-storage': '7Ti', 'nvidia.com/gpu': '8' },
      allocatable: { cpu: '127500m', memory: '2097152Mi', 'ephemeral-storage': '7Ti', 'nvidia.com/gpu': '7' },
      conditions,
      ...status,
    },
  });
const H100 = { 'nvidia.com/gpu.product': 'NVIDIA-H100-80GB-HBM3', 'nvidia.com/gpu.memory': '81559' };

describe('a machine as its cluster shows it', () => {
  it('has the GPUs that GPU Feature Discovery names, with nominal memory', () => {
    expect(machineOf(node(H100))).toMatchObject({
      name: 'n1',
      gpu: {
        product: 'NVIDIA-H100-80GB-HBM3',
        vramMiB: 81_920,
        interface: 'sxm',
        capacity: 8,
        allocatable: 7,
      },
      cpuMillis: 127_500,
      memoryMiB: 2_097_152,
      storageMiB: 7 * 1_048_576,
      ready: true,
    });
    expect(
      machineOf(node({ 'nvidia.com/gpu.product': 'NVIDIA-H100-PCIe', 'nvidia.com/gpu.memory': '81559' })).gpu,
    ).toMatchObject({ interface: 'pcie' });
    expect(
      machineOf(
        node({ 'nvidia.com/gpu.product': 'NVIDIA-GeForce-RTX-4090', 'nvidia.com/gpu.memory': '24564' }),
      ).gpu,
    ).toMatchObject({ vramMiB: 24_576, interface: 'pcie' });
  });

  it('has none where there are none, and unknown ones where the catalogue does not know them', () => {
    const bare = { capacity: { cpu: '4', memory: '8Gi' }, allocatable: { cpu: '4', memory: '8Gi' } };
    expect(machineOf(node({}, bare)).gpu).toBeNull();
    expect(machineOf(node({ 'nvidia.com/gpu.product': 'NVIDIA-XYZ' })).gpu).toMatchObject({
      model: null,
      product: 'NVIDIA-XYZ',
    });
    const amd = { capacity: { 'amd.com/gpu': '8' }, allocatable: { 'amd.com/gpu': '8' } };
    expect(
      machineOf(node({ 'amd.com/gpu.product-name': 'AMD_Instinct_MI300X', 'amd.com/gpu.vram': '192G' }, amd))
        .gpu,
    ).toMatchObject({ vramMiB: 196_608, capacity: 8 });
  });

  it('is not ready without the condition, or cordoned', () => {
    expect(machineOf(node(H100, {}, [{ type: 'Ready', status: 'Unknown' }])).ready).toBe(false);
    expect(machineOf(node(H100, {}, [])).ready).toBe(false);
    expect(machineOf({ ...node(H100), spec: { unschedulable: true } }).ready).toBe(false);
  });

  it('is reported as it is; one that cannot be seen claims nothing', () => {
    expect(reportOf(machineOf(node(H100)))).toMatchObject({
      gpuModel: 'h100',
      gpuCapacity: 8,
      gpuAllocatable: 7,
      vramMib: 81_920,
      ready: true,
    });
    expect(unknownReport('n1')).toMatchObject({
      name: 'n1',
      gpuCapacity: 0,
      cpuMillisAllocatable: 0,
      ready: false,
    });
  });

  it('reads quantities', () => {
    expect(['2', '500m', '1.5Gi', '1e3', 'x', undefined].map(readQuantity)).toEqual([
      2,
      0.5,
      1.5 * 2 ** 30,
      1_000,
      0,
      0,
    ]);
  });

  it('refuses an answer of another shape', () => {
    expect(() => kubernetesNode.parse({ metadata: { name: 'n' }, status: {} })).toThrow();
  });
});

describe('the offers of a price list', () => {
  const rule = (label: string, more: Partial<PriceRule> = {}): PriceRule => ({
    label,
    match: {},
    price: {
      perGpuUsdcPerHour: '1',
      perCpuCoreUsdcPerHour: '0',
      perMemoryGiBUsdcPerHour: '0',
      perStorageGiBUsdcPerHour: '0',
    },
    policy: { autoAccept: true, minDurationSeconds: 0, maxDurationSeconds: 3_600 },
    storageClasses: [],
    ...more,
  });
  const machine = (name: string, labels: Record<string, string>, status?: object): Machine => ({
    ...machineOf(node(labels, status)),
    name,
  });
  const cpu = machine('c', {}, { capacity: { cpu: '4' }, allocatable: { cpu: '4' } });

  it('group machines by rule and GPU, and take the capacity of each', () => {
    const machines = [machine('a', H100), machine('b', H100), cpu];
    const { offers, leftOut } = planOffers(machines, [
      rule('gpu', { match: { gpu: 'H100' } }),
      rule('cpu', { match: { gpu: null } }),
    ]);
    expect(
      offers.map(({ label, gpu, nodes }) => [
        label,
        gpu?.model ?? null,
        nodes.map(({ name, gpus }) => `${name}:${gpus}`),
      ]),
    ).toEqual([
      ['gpu', 'h100', ['a:8', 'b:8']],
      ['cpu', null, ['c:0']],
    ]);
    expect(leftOut).toEqual([]);
  });

  it('leave out what no rule takes and what nobody knows', () => {
    const strange = machine('s', { 'nvidia.com/gpu.product': 'NVIDIA-XYZ' });
    const { offers, leftOut } = planOffers(
      [machine('a', H100), strange, cpu],
      [rule('one', { match: { nodes: ['a', 's'] }, gpuInterface: 'pcie' })],
    );
    expect(offers).toHaveLength(1);
    expect(offers[0]!.gpu).toEqual({ model: 'h100', vramMiB: 81_920, interface: 'pcie' });
    expect(leftOut.map(({ name }) => name)).toEqual(['s', 'c']);
  });
});
