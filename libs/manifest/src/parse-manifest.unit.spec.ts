import { describe, expect, it } from '@jest/globals';
import { groupTotals } from '@gridbourse/events';
import { fixture, icl, sdl } from '../test/manifests.ts';
import { faultsOf, only } from '../test/reading.ts';
import { parseManifest } from './index.ts';

describe('a real Akash manifest', () => {
  const { spec, secrets, warnings } = parseManifest(fixture('Mistral-7B'));

  it('becomes one group with all that was asked', () => {
    expect(spec).toMatchObject({
      dialect: 'akash-sdl',
      dialectVersion: '2.0',
      name: 'vllm',
      run: 'service',
      durationSeconds: 3_600,
    });
    expect(spec.groups).toHaveLength(1);
    expect(spec.groups[0]).toMatchObject({ name: 'dcloud', regions: [], attributes: {}, tierFloor: 7 });
    const [service] = spec.groups[0]!.services;
    expect(service).toMatchObject({
      name: 'vllm',
      command: ['bash', '-c'],
      envNames: ['HF_TOKEN'],
      replicas: 1,
      // 1,000,000 micro-ACT a block, 600 blocks an hour, one dollar each.
      maxRateMicrosPerHour: 600_000_000n,
      ports: [
        { containerPort: 8000, servicePort: 8000, protocol: 'tcp', global: true, services: [], hosts: [] },
      ],
    });
    expect(service!.resources).toMatchObject({ cpuMillis: 12_000, memoryMiB: 32_768 });
  });

  it('keeps memory and interface of each GPU model', () => {
    expect(spec.groups[0]!.services[0]!.resources.gpu).toEqual({
      count: 1,
      vendor: 'nvidia',
      sharing: { mode: 'whole' },
      models: [
        { model: 'a100', vramMiB: null, interface: null, migProfile: null },
        { model: 'rtx4090', vramMiB: 24_576, interface: 'pcie', migProfile: null },
        { model: 'h100', vramMiB: 81_920, interface: null, migProfile: null },
      ],
    });
  });

  it('keeps each volume, its place and its class', () => {
    expect(spec.groups[0]!.services[0]!.resources.volumes).toEqual([
      {
        name: 'default',
        sizeMiB: 30_720,
        mountPath: null,
        readOnly: false,
        kind: 'ephemeral',
        storageClass: null,
      },
      {
        name: 'data',
        sizeMiB: 30_720,
        mountPath: '/root/.cache',
        readOnly: false,
        kind: 'persistent',
        storageClass: 'beta3',
      },
      {
        name: 'shm',
        sizeMiB: 10_240,
        mountPath: '/dev/shm',
        readOnly: false,
        kind: 'ram',
        storageClass: null,
      },
    ]);
    // Memory that is used as a disk is not asked for twice.
    expect(groupTotals(spec.groups[0]!).storageMiB).toBe(61_440);
  });

  it('keeps values apart, and says that the duration is a default', () => {
    expect(secrets).toEqual({ services: { vllm: { env: { HF_TOKEN: '' }, imageCredentials: null } } });
    expect(warnings.map(({ code }) => code)).toEqual(['default_duration']);
  });
});

describe('a real Spheron manifest', () => {
  it('becomes services that know each other, priced by the hour', () => {
    const { spec, warnings } = parseManifest(fixture('examples__spheron.multiservice'));
    expect(spec).toMatchObject({
      dialect: 'spheron-icl',
      dialectVersion: '1.0',
      name: 'vscode-ollama',
      durationSeconds: 3_600,
    });
    const [vscode, ollama] = spec.groups[0]!.services;
    expect([vscode!.maxRateMicrosPerHour, ollama!.maxRateMicrosPerHour]).toEqual([500_000n, 1_000_000n]);
    expect(ollama!.ports).toEqual([
      {
        containerPort: 11434,
        servicePort: 11434,
        protocol: 'tcp',
        global: false,
        services: ['vscode'],
        hosts: [],
      },
    ]);
    expect(ollama!.imagePullPolicy).toBe('IfNotPresent');
    expect(ollama!.resources.volumes).toEqual([
      {
        name: 'default',
        sizeMiB: 122_880,
        mountPath: '/mnt/data',
        readOnly: false,
        kind: 'persistent',
        storageClass: 'beta3',
      },
    ]);
    expect(warnings).toEqual([]);
  });
});

describe('prices', () => {
  const priced = (denom: string, amount: string): string =>
    sdl({ placement: `pricing:\n  small:\n    denom: ${denom}\n    amount: ${amount}` });

  it.each([
    ['uact', '1', 600n],
    ['uact', '10000', 6_000_000n],
    ['uact', '0.5', 300n],
    ['ibc/170C677610AC31DF0904FFE09CD3B5C657492170E7E52372E48756B71E56F2F1', '1.5', 900n],
  ])('%s %s a block is %s micros an hour', (denom, amount, micros) =>
    expect(only(priced(denom, amount)).maxRateMicrosPerHour).toBe(micros),
  );

  it('of a token without a peg use the rate that is given, or say what was assumed', () => {
    const given = parseManifest(priced('uakt', '1000'), { usdPerToken: { uakt: '3.141592' } });
    expect(given.spec.groups[0]!.services[0]!.maxRateMicrosPerHour).toBe(1_884_955n);
    expect(given.warnings.map(({ code }) => code)).not.toContain('assumed_token_price');
    const assumed = parseManifest(priced('uakt', '1000'));
    expect(assumed.spec.groups[0]!.services[0]!.maxRateMicrosPerHour).toBe(300_000n);
    expect(assumed.warnings.map(({ code }) => code)).toContain('assumed_token_price');
  });

  it.each([
    ['0.5', 500_000n],
    ['1', 1_000_000n],
    ['0.0000019', 1n],
  ])('%s tokens an hour are %s micros', (amount, micros) =>
    expect(only(icl({ amount })).maxRateMicrosPerHour).toBe(micros),
  );

  it.each(['-1', '0', '1e6', 'free', '0.0000000001', '9'.repeat(18)])('of %s are refused', (amount) => {
    const [fault] = faultsOf(priced('uact', amount));
    expect(fault).toMatchObject({
      pointer: '/profiles/placement/anywhere/pricing/small/amount',
      line: 21,
      column: 19,
    });
  });

  it('in an unknown token are refused, with the nearest known', () => {
    expect(faultsOf(priced('uackt', '1'))[0]!.message).toContain('did you mean `uact`');
  });

  it('give way to a budget, which is split without loss', () => {
    const total = (text: string, maxRateMicrosPerHour: bigint): bigint =>
      parseManifest(text, { maxRateMicrosPerHour }).spec.groups.reduce(
        (sum, group) => sum + groupTotals(group).maxRateMicrosPerHour,
        0n,
      );
    expect(total(fixture('dify'), 1_234_567n)).toBe(1_234_567n);
    expect(total(fixture('examples__spheron.multiservice'), 7n)).toBe(7n);
    const three = sdl({ deployment: 'anywhere:\n  profile: small\n  count: 3' });
    expect(total(three, 100n)).toBe(99n);
    expect(parseManifest(three, { maxRateMicrosPerHour: 100n }).warnings.map(({ code }) => code)).toContain(
      'budget_not_divisible',
    );
  });

  it('may be missing when a budget is given, and only then', () => {
    const unpriced = sdl({ placement: 'pricing: {}' });
    expect(only(unpriced, { maxRateMicrosPerHour: 5n }).maxRateMicrosPerHour).toBe(5n);
    expect(faultsOf(unpriced)[0]).toMatchObject({ pointer: '/deployment/web/anywhere/profile' });
  });
});

describe('duration, run and tiers', () => {
  it.each([
    ['1.5h', 5_400],
    ['30m', 1_800],
    ['2d', 172_800],
  ])('%s is exact', (text, seconds) =>
    expect(parseManifest(icl({ profiles: `  duration: ${text}` })).spec.durationSeconds).toBe(seconds),
  );

  it('can be given by the caller, without a warning', () => {
    const { spec, warnings } = parseManifest(sdl(), { durationSeconds: 60, run: 'job' });
    expect([spec.durationSeconds, spec.run, warnings]).toEqual([60, 'job', []]);
  });

  it.each([
    ['secured', 3],
    ['secured-1', 1],
    ['[secured-2, community-1]', 4],
    ['community', 7],
  ])('tiers: %s let in down to %s', (tiers, floor) =>
    expect(
      parseManifest(icl({ profiles: `  duration: 1h\n  tiers: ${tiers}` })).spec.groups[0]!.tierFloor,
    ).toBe(floor),
  );

  it('refuses an unknown tier and an unknown duration', () => {
    const faults = faultsOf(icl({ profiles: '  duration: soon\n  tier: secured-9' }));
    expect(faults.map(({ pointer }) => pointer)).toEqual(['/profiles/duration', '/profiles/tier']);
  });
});

describe('placements', () => {
  it('say between which machines and among how many providers they may be', () => {
    const group = (attributes: string) =>
      parseManifest(
        sdl({ placement: `attributes: {${attributes}}\npricing: {small: {denom: uact, amount: 1}}` }),
      ).spec.groups[0]!;
    expect(group('region: us-west')).toMatchObject({ interconnect: null, maxProviders: 1 });
    expect(group('interconnect: InfiniBand, max_providers: 4, tee: x')).toMatchObject({
      ...{ interconnect: 'infiniband', maxProviders: 4 },
      attributes: { tee: 'x' },
    });
    expect(group('maxProviders: 2')).toMatchObject({ maxProviders: 2, attributes: {} });
  });

  it.each([
    ['interconnect: infiniban', 'did you mean `infiniband`'],
    ['interconnect: carrier-pigeon', 'known: ethernet, roce, infiniband, nvlink'],
    ['max_providers: 0', 'a whole number from 1 to 16'],
    ['max_providers: 17', 'a whole number from 1 to 16'],
    ['max_providers: some', 'a whole number from 1 to 16'],
  ])('are refused with %s', (attributes, message) => {
    const text = sdl({
      placement: `attributes: {${attributes}}\npricing: {small: {denom: uact, amount: 1}}`,
    });
    const [fault] = faultsOf(text);
    expect(fault).toMatchObject({
      message: expect.stringContaining(message),
      pointer: `/profiles/placement/anywhere/attributes/${attributes.split(':')[0]}`,
      line: 18,
    });
  });

  it('are all read, in their order, each a group', () => {
    const text = sdl({
      placement: 'pricing: {small: {denom: uact, amount: 1}}',
      deployment: 'there: {profile: small, count: 2}\nanywhere: {profile: small, count: 1}',
    }).replace(
      '  placement:\n',
      '  placement:\n    there:\n      attributes: {region: us-west}\n      pricing: {small: {denom: uact, amount: 3}}\n',
    );
    const groups = parseManifest(text).spec.groups;
    expect(groups.map(({ name, regions, services }) => [name, regions, services[0]!.replicas])).toEqual([
      ['there', ['us-west'], 2],
      ['anywhere', [], 1],
    ]);
  });

  const placed = (attributes: string) =>
    parseManifest(
      sdl({ placement: `attributes: ${attributes}\npricing: {small: {denom: uact, amount: 1}}` }),
    );

  it('map regions, keep requirements, and say which facts belong to another network', () => {
    const { spec, warnings } = placed('{region: germany, host: akash, gpu-driver: "550"}');
    expect(spec.groups[0]).toMatchObject({
      regions: ['eu-central'],
      attributes: { country: 'DE', 'gpu-driver': '550' },
    });
    expect(warnings.find(({ code }) => code === 'ignored_attribute')).toMatchObject({
      pointer: '/profiles/placement/anywhere/attributes/host',
      line: 18,
    });
  });

  it('can exclude a region', () => {
    const { spec } = placed('{exclude_region: us-east}');
    expect(spec.groups[0]!.regions).not.toContain('us-east');
    expect(spec.groups[0]!.regions).toContain('us-west');
  });

  it('in an unknown region are refused', () => {
    const text = sdl({
      placement: 'attributes: {region: us-wst}\npricing: {small: {denom: uact, amount: 1}}',
    });
    expect(faultsOf(text)[0]!.message).toContain('did you mean `us-west`');
  });
});

describe('options', () => {
  it.each([
    [{ durationSeconds: 0 }],
    [{ durationSeconds: 1.5 }],
    [{ maxRateMicrosPerHour: 0n }],
    [{ tierFloor: 8 }],
    [{ regions: ['mars'] }],
    [{ name: '' }],
  ])('out of range are refused: %p', (options) => {
    expect(() => parseManifest(sdl(), options)).toThrow(
      expect.objectContaining({ kind: 'invalid', code: 'invalid_manifest_options' }),
    );
  });

  it('replace regions, tier floor and name', () => {
    const { spec } = parseManifest(sdl(), { regions: ['eu-west'], tierFloor: 2, name: 'mine' });
    expect([spec.name, spec.groups[0]!.regions, spec.groups[0]!.tierFloor]).toEqual(['mine', ['eu-west'], 2]);
  });
});

describe('dialects', () => {
  it('are told apart by content where both have the version', () => {
    expect(parseManifest(icl().replace('"1.0"', '"2.0"')).spec.dialect).toBe('spheron-icl');
    expect(parseManifest(sdl()).spec.dialect).toBe('akash-sdl');
    expect(parseManifest(sdl().replace('"2.0"', '2.1')).spec).toMatchObject({
      dialect: 'akash-sdl',
      dialectVersion: '2.1',
    });
  });

  it('of another version are refused', () => {
    expect(faultsOf(sdl().replace('"2.0"', '"3.0"'))[0]).toMatchObject({
      pointer: '/version',
      line: 1,
      column: 10,
    });
  });
});
