import { describe, expect, it } from '@jest/globals';
import type { PriceRule } from '../config.ts';
import { kubernetesNode, type Machine, machineOf, reportOf, unknownReport } from './machine.ts';
import { planOffers } from './offers.ts';
import { readQuantity } from './quantity.ts';

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

const having = (gpus: Record<string, string>) => ({ capacity: gpus, allocatable: gpus });
const RTX4090 = { 'nvidia.com/gpu.product': 'NVIDIA-GeForce-RTX-4090', 'nvidia.com/gpu.memory': '24564' };
const A100 = { 'nvidia.com/gpu.product': 'NVIDIA-A100-SXM4-80GB', 'nvidia.com/gpu.memory': '81920' };

describe('the GPUs of a machine that divides them', () => {
  const gpuOf = (labels: Record<string, string>, gpus: Record<string, string>) =>
    machineOf(node(labels, having(gpus)));

  it.each([
    [
      'MIG, strategy single',
      {
        'nvidia.com/gpu.product': 'NVIDIA-A100-SXM4-80GB-MIG-1g.10gb',
        'nvidia.com/gpu.memory': '9728',
        'nvidia.com/mig.strategy': 'single',
      },
      { 'nvidia.com/gpu': '14' },
      { mode: 'mig', profile: '1g.10gb' },
      ['a100', 81_920, 14, 'mig:1g.10gb'],
    ],
    [
      'MIG, strategy single, where the name says no memory',
      { 'nvidia.com/gpu.product': 'NVIDIA-A30-MIG-2g.12gb', 'nvidia.com/gpu.memory': '11968' },
      { 'nvidia.com/gpu': '4' },
      { mode: 'mig', profile: '2g.12gb' },
      ['a30', 24_576, 4, 'mig:2g.12gb'],
    ],
    [
      'MIG, strategy mixed',
      { ...A100, 'nvidia.com/mig.strategy': 'mixed', 'nvidia.com/mig-3g.40gb.replicas': '1' },
      { 'nvidia.com/mig-3g.40gb': '4', 'nvidia.com/gpu': '0' },
      { mode: 'mig', profile: '3g.40gb' },
      ['a100', 81_920, 4, 'mig:3g.40gb'],
    ],
    [
      'MIG with media engines',
      A100,
      { 'nvidia.com/mig-1g.10gb.me': '2' },
      { mode: 'mig', profile: '1g.10gb+me' },
      ['a100', 81_920, 2, 'mig:1g.10gb+me'],
    ],
    [
      'time slices under the old name',
      {
        ...RTX4090,
        'nvidia.com/gpu.product': 'NVIDIA-GeForce-RTX-4090-SHARED',
        'nvidia.com/gpu.replicas': '10',
      },
      { 'nvidia.com/gpu': '20' },
      { mode: 'shared', slotsPerGpu: 10 },
      ['rtx4090', 24_576, 20, 'shared:10'],
    ],
    [
      'time slices under a name of their own',
      { ...RTX4090, 'nvidia.com/gpu.replicas': '4' },
      { 'nvidia.com/gpu.shared': '8' },
      { mode: 'shared', slotsPerGpu: 4 },
      ['rtx4090', 24_576, 8, 'shared:4'],
    ],
    [
      'time slices of which only the number tells',
      { ...RTX4090, 'nvidia.com/gpu.replicas': '2' },
      { 'nvidia.com/gpu': '8' },
      { mode: 'shared', slotsPerGpu: 2 },
      ['rtx4090', 24_576, 8, 'shared:2'],
    ],
  ])('%s', (_, labels, gpus, sharing, [model, vramMib, count, text]) => {
    const machine = gpuOf(labels, gpus);
    expect(machine.gpu).toMatchObject({ sharing, unsaleable: null, vramMiB: vramMib, capacity: count });
    expect(reportOf(machine)).toMatchObject({
      ...{ gpuModel: model, vramMib, gpuCapacity: count, gpuAllocatable: count },
      gpuSharing: text,
    });
  });

  it.each([
    [
      'several profiles',
      A100,
      { 'nvidia.com/mig-1g.10gb': '2', 'nvidia.com/mig-3g.40gb': '1' },
      'several ways at once',
    ],
    [
      'slices beside whole GPUs',
      A100,
      { 'nvidia.com/gpu': '4', 'nvidia.com/mig-1g.10gb': '7' },
      'several ways',
    ],
    [
      'slots beside whole GPUs',
      RTX4090,
      { 'nvidia.com/gpu': '4', 'nvidia.com/gpu.shared': '8' },
      'several ways',
    ],
    [
      'slices that are shared by time',
      { ...A100, 'nvidia.com/mig-1g.10gb.replicas': '4' },
      { 'nvidia.com/mig-1g.10gb': '28' },
      'shared by time as well',
    ],
    ['slices under a shared name', A100, { 'nvidia.com/mig-1g.10gb.shared': '28' }, 'shared by time as well'],
    ['a profile that is none', A100, { 'nvidia.com/mig-big': '2' }, 'unknown profile'],
    ['a profile of another GPU', A100, { 'nvidia.com/mig-1g.5gb': '7' }, 'can be divided into 1g.5gb'],
    ['slots of a number that is not told', RTX4090, { 'nvidia.com/gpu.shared': '8' }, 'among how many'],
    [
      'slots of a number that is none',
      { ...RTX4090, 'nvidia.com/gpu.replicas': 'many' },
      { 'nvidia.com/gpu': '8' },
      'among how many',
    ],
    [
      'MPS',
      { ...RTX4090, 'nvidia.com/gpu.replicas': '4', 'nvidia.com/gpu.sharing-strategy': 'mps' },
      { 'nvidia.com/gpu': '8' },
      'MPS',
    ],
  ])('%s: nothing is sold', (_, labels, gpus, why) => {
    const machine = gpuOf(labels, gpus);
    expect(machine.gpu).toMatchObject({ sharing: null, unsaleable: expect.stringContaining(why) });
    expect(reportOf(machine).gpuSharing).toBe('unsaleable');
    const { offers, leftOut } = planOffers([machine], []);
    expect([offers, leftOut]).toEqual([[], [{ name: 'n1', why: expect.stringContaining(why) }]]);
  });

  it('are whole only where nothing says otherwise, and then the heartbeat says nothing of it', () => {
    const machine = machineOf(
      node({ ...H100, 'nvidia.com/gpu.replicas': '1', 'nvidia.com/gpu.sharing-strategy': 'none' }),
    );
    expect(machine.gpu?.sharing).toEqual({ mode: 'whole' });
    expect(reportOf(machine).gpuSharing).toBe('');
    for (const name of ['NVIDIA-A100-SXM4-80GB-MIG-INVALID', 'NVIDIA-A100-SXM4-80GB-MIG-1g.10gb-SHARED']) {
      expect(planOffers([machineOf(node({ 'nvidia.com/gpu.product': name }))], []).offers).toEqual([]);
    }
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
    interconnect: 'ethernet',
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

  it('of one rule are labelled apart where the platform would take them for one', () => {
    const sxm = machine('a', A100);
    const small = machine('b', { 'nvidia.com/gpu.product': 'NVIDIA-A100-PCIE-40GB' });
    const labels = (machines: Machine[], label = 'r') =>
      planOffers(machines, [rule(label)]).offers.map((offer) => offer.label);
    expect(labels([sxm, small, machine('c', H100)])).toEqual(['r', 'r-40g-pcie', 'r']);
    const long = 'x'.repeat(60);
    expect(labels([sxm, small], long)).toEqual([long, `${'x'.repeat(51)}-40g-pcie`]);
  });

  it('leave out what no rule takes and what nobody knows', () => {
    const strange = machine('s', { 'nvidia.com/gpu.product': 'NVIDIA-XYZ' });
    const { offers, leftOut } = planOffers(
      [machine('a', H100), strange, cpu],
      [rule('one', { match: { nodes: ['a', 's'] }, gpuInterface: 'pcie' })],
    );
    expect(offers).toHaveLength(1);
    expect(offers[0]!.gpu).toEqual({
      ...{ model: 'h100', vramMiB: 81_920, interface: 'pcie' },
      sharing: { mode: 'whole' },
    });
    expect(leftOut.map(({ name }) => name)).toEqual(['s', 'c']);
  });

  describe('of divided GPUs', () => {
    const slots = machine(
      'slots',
      { ...RTX4090, 'nvidia.com/gpu.replicas': '4', 'nvidia.com/gpu.sharing-strategy': 'time-slicing' },
      having({ 'nvidia.com/gpu.shared': '16' }),
    );
    const slices = machine('slices', A100, having({ 'nvidia.com/mig-1g.10gb': '14' }));

    it('are never made by a rule that does not name the unit', () => {
      const { offers, leftOut } = planOffers([slots, slices], [rule('any')]);
      expect(offers).toEqual([]);
      expect(leftOut).toEqual([
        { name: 'slots', why: expect.stringContaining('sold as 1/4 shared') },
        { name: 'slices', why: expect.stringContaining('sold as MIG 1g.10gb') },
      ]);
    });

    it.each([
      ['shared', ['slots:16']],
      ['shared:4', ['slots:16']],
      ['shared:8', []],
      ['mig', ['slices:14']],
      ['mig:1g.10gb', ['slices:14']],
      ['mig:2g.20gb', []],
      ['whole', ['a:8']],
    ])('are those of the unit that the rule names: %s', (sharing, expected) => {
      const { offers } = planOffers(
        [slots, slices, machine('a', H100)],
        [rule('r', { match: { sharing }, interconnect: 'infiniband' })],
      );
      expect(offers.flatMap(({ nodes }) => nodes.map(({ name, gpus }) => `${name}:${gpus}`))).toEqual(
        expected,
      );
      for (const { interconnect } of offers) expect(interconnect).toBe('infiniband');
    });

    it('say what is sold', () => {
      const { offers } = planOffers(
        [slots, slices],
        [rule('s', { match: { sharing: 'shared' } }), rule('m', { match: { sharing: 'mig' } })],
      );
      expect(offers.map(({ gpu }) => gpu)).toEqual([
        {
          ...{ model: 'rtx4090', vramMiB: 24_576, interface: 'pcie' },
          sharing: { mode: 'shared', slotsPerGpu: 4 },
        },
        {
          ...{ model: 'a100', vramMiB: 81_920, interface: 'sxm' },
          sharing: { mode: 'mig', profile: '1g.10gb' },
        },
      ]);
    });
  });
});
