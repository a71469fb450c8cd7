import type { OfferNode } from '@gridbourse/events';
import { DomainError } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  checkInventory,
  EMPTY_INVENTORY,
  type Inventory,
  nextInventory,
  type NodeReport,
} from './inventory.ts';
import { type OfferContent, sellableNodes } from './offer-content.ts';

const node = (fields: Partial<NodeReport> = {}): NodeReport => ({
  name: 'n1',
  gpuModel: 'h100',
  gpuSharing: '',
  gpuCapacity: 8,
  gpuAllocatable: 8,
  vramMiB: 81_920,
  cpuMillisAllocatable: 64_000,
  memoryMiBAllocatable: 524_288,
  storageMiBAllocatable: 1_048_576,
  ready: true,
  ...fields,
});

const faultsOf = (...nodes: NodeReport[]): string[] => {
  try {
    checkInventory(nodes);
    return [];
  } catch (error) {
    if (error instanceof DomainError) return error.faults.map((fault) => fault.pointer);
    throw error;
  }
};

const see = (known: Inventory, nodes: NodeReport[], atMs: number, connectedAtMs = 0): Inventory =>
  nextInventory(known, nodes, {
    atMs,
    connectedAtMs,
    gpuSettleMs: 1_000,
    modelOf: (label) => (label === 'h100' || label === 'a100' ? label : null),
    sharingOf: (label) => (label.endsWith('-SHARED') ? 'shared' : 'whole'),
  });

const gpus = (inventory: Inventory, name = 'n1'): number | null | undefined =>
  inventory.capacities.get(name)?.gpus;

describe('an impossible inventory', () => {
  it.each([
    ['more allocatable than there is', node({ gpuAllocatable: 9 }), '/nodes/0/gpuAllocatable'],
    [
      'a wrapped count',
      node({ gpuCapacity: 4_294_967_295, gpuAllocatable: 4_294_967_295 }),
      '/nodes/0/gpuCapacity',
    ],
    ['a negative amount', node({ memoryMiBAllocatable: -1 }), '/nodes/0/memoryMiBAllocatable'],
    ['half a core', node({ cpuMillisAllocatable: 0.5 }), '/nodes/0/cpuMillisAllocatable'],
    ['no name', node({ name: '' }), '/nodes/0/name'],
    ['an endless word', node({ gpuSharing: 'x'.repeat(61) }), '/nodes/0/gpuSharing'],
  ])('%s', (_, bad, pointer) => {
    expect(faultsOf(bad)).toContain(pointer);
  });

  it('two machines of one name', () => {
    expect(faultsOf(node(), node())).toEqual(['/nodes/1/name']);
  });

  it('a healthy one passes, and so does none at all', () => {
    expect(faultsOf(node(), node({ name: 'n2', gpuAllocatable: 0 }))).toEqual([]);
    expect(faultsOf()).toEqual([]);
  });
});

describe('what is left of the machines', () => {
  it('shrinks at once when some GPUs are gone', () => {
    expect(gpus(see(see(EMPTY_INVENTORY, [node()], 0), [node({ gpuAllocatable: 7 })], 10))).toBe(7);
  });

  it('takes no GPUs right after the agent connected for "not known yet", and later for none', () => {
    const young = see(EMPTY_INVENTORY, [node({ gpuAllocatable: 0 })], 999);
    expect(gpus(young)).toBeNull();
    expect(young.settling).toBe(true);
    const old = see(young, [node({ gpuAllocatable: 0 })], 2_000);
    expect(gpus(old)).toBe(0);
    expect(old.settling).toBe(false);
  });

  it('gives a machine that was rebooted the same time', () => {
    const before = see(EMPTY_INVENTORY, [node()], 0);
    const down = see(before, [node({ ready: false, gpuAllocatable: 0 })], 5_000);
    expect(gpus(down)).toBe(0);
    const up = see(down, [node({ gpuAllocatable: 0 })], 6_000);
    expect(gpus(up)).toBeNull();
    expect(gpus(see(up, [node({ gpuAllocatable: 0 })], 7_000))).toBe(0);
    expect(gpus(see(up, [node()], 7_000))).toBe(8);
  });

  it('counts a machine that is no longer reported as gone, unless nothing at all is reported', () => {
    const both = see(EMPTY_INVENTORY, [node(), node({ name: 'n2' })], 0);
    expect(see(both, [], 10)).toBe(both);
    const one = see(both, [node()], 10);
    expect([gpus(one, 'n1'), gpus(one, 'n2')]).toEqual([8, 0]);
  });
});

describe('what can be sold', () => {
  const content: OfferContent = {
    label: '',
    gpu: { model: 'h100', vendor: 'nvidia', vramMiB: 81_920, interface: 'sxm', sharing: { mode: 'whole' } },
    nodes: [{ name: 'n1', gpus: 8, cpuMillis: 32_000, memoryMiB: 100_000, storageMiB: 500_000 }],
    price: { perGpu: 1n, perCpuCore: 0n, perMemoryGiB: 0n, perStorageGiB: 0n },
    policy: { autoAccept: true, minDurationSeconds: 0, maxDurationSeconds: 1 },
    storageClasses: [],
    interconnect: 'ethernet',
  };

  it('has no GPUs where the cluster has another model than the offer', () => {
    const other = see(EMPTY_INVENTORY, [node({ gpuModel: 'a100' })], 0);
    expect(sellableNodes(content, other.capacities)[0]).toMatchObject({ gpus: 0, cpuMillis: 32_000 });
    const nameless = see(EMPTY_INVENTORY, [node({ gpuModel: 'who knows' })], 0);
    expect(sellableNodes(content, nameless.capacities)[0]).toMatchObject({ gpus: 8 });
  });

  const sold = (sharing: NonNullable<OfferContent['gpu']>['sharing'], report: Partial<NodeReport>) =>
    sellableNodes(
      { ...content, gpu: { ...content.gpu!, sharing } },
      see(EMPTY_INVENTORY, [node(report)], 0).capacities,
    )[0]!.gpus;
  const slots = { mode: 'shared', slotsPerGpu: 4 } as const;
  const slices = { mode: 'mig', profile: '1g.10gb' } as const;

  it.each([
    ['whole GPUs', { mode: 'whole' } as const, { gpuSharing: 'whole' }, 8],
    ['whole GPUs of which nothing is said', { mode: 'whole' } as const, { gpuSharing: '' }, 8],
    ['slots', slots, { gpuSharing: 'shared:4' }, 8],
    ['slices', slices, { gpuSharing: 'mig:1g.10gb' }, 8],
    ['no whole GPUs where there are slots', { mode: 'whole' } as const, { gpuSharing: 'shared:4' }, 0],
    ['no whole GPUs where a name says slots', { mode: 'whole' } as const, { gpuModel: 'h100-SHARED' }, 0],
    ['no slots where nothing is said', slots, { gpuSharing: '' }, 0],
    ['no slots of another size', slots, { gpuSharing: 'shared:8' }, 0],
    ['no slices of another profile', slices, { gpuSharing: 'mig:2g.20gb' }, 0],
    ['nothing that nobody sells so', { mode: 'whole' } as const, { gpuSharing: 'unsaleable' }, 0],
  ])('is %s', (_, sharing, report, gpus) => expect(sold(sharing, report)).toBe(gpus));

  it('stays as it is until a machine that comes up says what GPUs it has', () => {
    const before = { ...content, gpu: { ...content.gpu!, sharing: slots } };
    const booting = see(EMPTY_INVENTORY, [node({ gpuModel: '', gpuCapacity: 0, gpuAllocatable: 0 })], 0);
    expect(sellableNodes(before, booting.capacities)[0]!.gpus).toBe(8);
  });

  it('is never more than declared, nor more than reported, nor negative', () => {
    const reported = fc.record({
      gpuAllocatable: fc.nat(16),
      cpu: fc.nat(100_000),
      ready: fc.boolean(),
      atMs: fc.nat(3_000),
    });
    fc.assert(
      fc.property(fc.array(reported, { maxLength: 10 }), (reports) => {
        let inventory = EMPTY_INVENTORY;
        let sellable: OfferNode | undefined;
        for (const { gpuAllocatable, cpu, ready, atMs } of reports) {
          const report = node({ gpuCapacity: 16, gpuAllocatable, cpuMillisAllocatable: cpu, ready });
          inventory = see(inventory, [report], atMs);
          [sellable] = sellableNodes(content, inventory.capacities, sellable && [sellable]);
          expect(sellable!.gpus).toBeGreaterThanOrEqual(0);
          expect(sellable!.gpus).toBeLessThanOrEqual(8);
          if (gpuAllocatable > 0) expect(sellable!.gpus).toBeLessThanOrEqual(gpuAllocatable);
          if (!ready) expect(sellable).toMatchObject({ gpus: 0, cpuMillis: 0 });
        }
      }),
    );
  });
});
