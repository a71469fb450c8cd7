import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { gpuModels } from './gpu-models.ts';
import { readGpuName } from './gpu-name.ts';
import { MIG_GEOMETRIES } from './mig.data.ts';
import { findMigProfile, migProfilesOf, readMigProfile } from './mig.ts';
import {
  priceOfUnit,
  readSharingText,
  sharingText,
  unitName,
  unitShare,
  type UnitSharing,
} from './unit-share.ts';

const a100 = { model: 'a100', vramMiB: 81_920 };
const kinds = gpuModels.flatMap((model) =>
  model.variants.map(({ vramMiB }) => ({ model: model.id, vramMiB, vendor: model.vendor })),
);
const sharings = fc.oneof(
  fc.constant<UnitSharing>({ mode: 'whole' }),
  fc
    .constantFrom(...MIG_GEOMETRIES.flatMap((row) => row.profiles))
    .map(([profile]): UnitSharing => ({ mode: 'mig', profile })),
  fc.integer({ min: 2, max: 128 }).map((slotsPerGpu): UnitSharing => ({ mode: 'shared', slotsPerGpu })),
);

describe('MIG profiles', () => {
  it.each([
    ['a100', 80, '1g.10gb', 7, 1 / 7, 1 / 8],
    ['a100', 40, '1g.10gb', 4, 1 / 7, 1 / 4],
    ['a100', 40, '3g.20gb', 2, 3 / 7, 1 / 2],
    ['h100', 94, '2g.24gb', 3, 2 / 7, 24 / 94],
    ['h200', 141, '7g.141gb', 1, 1, 1],
    ['a30', 24, '2g.12gb', 2, 1 / 2, 1 / 2],
    ['rtxpro6000', 96, '1g.24gb', 4, 1 / 4, 1 / 4],
    ['b200', 180, '1g.23gb', 7, 1 / 7, 23 / 180],
  ])('%s %d GB has %s, %d a GPU', (model, vramGb, name, instances, compute, memory) => {
    const profile = findMigProfile({ model, vramMiB: vramGb * 1024 }, name)!;
    expect(profile.instancesPerGpu).toBe(instances);
    expect(profile.compute).toBeCloseTo(compute, 12);
    expect(profile.memory).toBeCloseTo(memory, 12);
  });

  it('are not mixed up between sizes of a model, and few GPUs have any', () => {
    expect(findMigProfile({ model: 'a100', vramMiB: 40_960 }, '1g.5gb')).not.toBeNull();
    expect(findMigProfile(a100, '1g.5gb')).toBeNull();
    expect(findMigProfile({ model: 'a100', vramMiB: null }, '1g.5gb')).not.toBeNull();
    expect(migProfilesOf({ model: 'rtx4090', vramMiB: 24_576 })).toEqual([]);
    expect(migProfilesOf({ model: 'rtx4090', vramMiB: null })).toEqual([]);
    expect(kinds.filter((kind) => kind.vendor === 'amd').flatMap(migProfilesOf)).toEqual([]);
  });

  it('name only GPUs of the catalogue, and as many as fit never exceed the GPU', () => {
    for (const [model, vramGb] of MIG_GEOMETRIES.flatMap((row) => row.gpus)) {
      expect(kinds).toContainEqual({ model, vramMiB: vramGb * 1024, vendor: 'nvidia' });
    }
    for (const kind of kinds) {
      for (const profile of migProfilesOf(kind)) {
        expect(profile.compute * profile.instancesPerGpu).toBeLessThanOrEqual(1 + 1e-9);
        // Names round the memory: three of 45 GB on 180, four of 35 on 141.
        expect(profile.memory * profile.instancesPerGpu).toBeLessThanOrEqual(1.03);
      }
    }
  });

  it.each([
    ['1g.10gb', '1g.10gb'],
    ['mig-1g.10gb', '1g.10gb'],
    ['mig-1g.10gb.me', '1g.10gb+me'],
    ['1G.10GB+ME', '1g.10gb+me'],
    ['0g.10gb', null],
    ['1g.10gb+gfx', null],
    ['10gb', null],
    ['1'.repeat(1_000), null],
  ])('%s is read as %s', (text, name) => expect(readMigProfile(text)).toBe(name));

  it('in the label of a product is read, with media engines too', () => {
    const slice = readGpuName('NVIDIA-A100-SXM4-80GB-MIG-1g.10gb.me');
    expect([slice?.model.id, slice?.sharing]).toEqual(['a100', { kind: 'mig', profile: '1g.10gb+me' }]);
  });

  it('that are themselves shared by time are not read as anything that is sold', () => {
    expect(readGpuName('NVIDIA-A100-SXM4-80GB-MIG-1g.10gb-SHARED')).toBeNull();
  });
});

describe('a sold unit', () => {
  it('is its part of one GPU', () => {
    expect(unitShare(a100, { mode: 'whole' })).toEqual({ compute: 1, memoryMiB: 81_920, isolated: true });
    expect(unitShare(a100, { mode: 'shared', slotsPerGpu: 4 })).toEqual({
      compute: 0.25,
      memoryMiB: 81_920,
      isolated: false,
    });
    expect(unitShare(a100, { mode: 'mig', profile: '2g.20gb' })).toEqual({
      compute: 2 / 7,
      memoryMiB: 20_480,
      isolated: true,
    });
    expect(unitShare({ model: 'a30', vramMiB: 24_576 }, { mode: 'mig', profile: '1g.6gb' }).compute).toBe(
      0.25,
    );
  });

  it('is never more than one GPU, nor nothing', () => {
    fc.assert(
      fc.property(fc.constantFrom(...kinds), sharings, (kind, sharing) => {
        const share = unitShare(kind, sharing);
        expect(share.compute).toBeGreaterThan(0);
        expect(share.compute).toBeLessThanOrEqual(1);
        expect(share.memoryMiB).toBeGreaterThan(0);
        expect(share.memoryMiB).toBeLessThanOrEqual(kind.vramMiB);
      }),
    );
  });

  it('costs its part of a whole GPU to the micro, and all units of one no more than it', () => {
    // As floating point, 49 times 1/49 is less than 1.
    expect(priceOfUnit(49n, a100, { mode: 'shared', slotsPerGpu: 49 })).toBe(1n);
    expect(priceOfUnit(8_000_000n, a100, { mode: 'mig', profile: '3g.40gb' })).toBe(3_428_571n);
    expect(priceOfUnit(8_000_000n, a100, { mode: 'whole' })).toBe(8_000_000n);
    fc.assert(
      fc.property(fc.bigInt(0n, 10n ** 30n), fc.integer({ min: 2, max: 128 }), (price, slotsPerGpu) => {
        const all = priceOfUnit(price, a100, { mode: 'shared', slotsPerGpu }) * BigInt(slotsPerGpu);
        expect(all <= price && price - all < BigInt(slotsPerGpu)).toBe(true);
      }),
    );
    fc.assert(
      fc.property(fc.constantFrom(...kinds), sharings, (kind, sharing) => {
        const share = Number(priceOfUnit(10n ** 15n, kind, sharing)) / 1e15;
        expect(share).toBeCloseTo(unitShare(kind, sharing).compute, 12);
      }),
    );
  });

  it('has a name for people and a word for wires, which is read back', () => {
    expect(unitName({ mode: 'shared', slotsPerGpu: 4 })).toBe('1/4 shared');
    expect(unitName({ mode: 'mig', profile: '1g.10gb' })).toBe('MIG 1g.10gb');
    fc.assert(
      fc.property(sharings, (sharing) => expect(readSharingText(sharingText(sharing))).toEqual(sharing)),
    );
    fc.assert(fc.property(fc.string(), (text) => void readSharingText(text)));
    for (const text of ['', 'shared:1', 'shared:129', 'shared:', 'mig:', 'mig:9', 'WHOLE']) {
      expect([text, readSharingText(text)]).toEqual([text, null]);
    }
  });
});
