import { describe, expect, it } from '@jest/globals';
import { group, idOf, requestFor, service } from '../../test/builders.ts';
import { type World, worldOf } from '../../test/world.ts';
import { failuresOf, fitOf } from './constraints.ts';
import { explain } from './explanation.ts';
import { viewOf } from './matching.ts';
import { groupNeeds, type MatchRequest } from './requirements.ts';

describe('constraints', () => {
  const need = (services: ReturnType<typeof service>[], options: Parameters<typeof group>[2] = {}) =>
    requestFor([group('main', services, options)]);
  const failed = (world: World, request: MatchRequest): string[] => {
    const [one] = viewOf(world.market, world.book).offers();
    const { offer, provider } = one!;
    return failuresOf({ need: groupNeeds(request)[0]!, offer, provider, free: world.book.free(offer) }).map(
      ({ constraint }) => constraint,
    );
  };
  const a100 = worldOf([
    'p',
    'o',
    { model: 'a100', vramGiB: 40, interface: 'sxm', nodes: [{ gpus: 2 }, { gpus: 2 }] },
  ]);

  it.each<[string, ReturnType<typeof need>, string[]]>([
    ['model', need([service('s', { models: [{ model: 'h100' }] })]), ['gpu_model']],
    ['VRAM', need([service('s', { models: [{ model: 'a100', vramMiB: 81_920 }] })]), ['gpu_vram']],
    [
      'interface',
      need([service('s', { models: [{ model: 'a100', interface: 'pcie' }] })]),
      ['gpu_interface'],
    ],
    ['vendor', need([service('s', { models: [], vendor: 'amd' })]), ['gpu_vendor']],
    ['GPUs in one machine', need([service('s', { models: [], gpus: 3, maxRate: '9' })]), ['gpu_count']],
    ['GPUs in all', need([service('s', { models: [], gpus: 2, replicas: 3, maxRate: '9' })]), ['gpu_count']],
    ['CPU', need([service('s', { models: [], cpuMillis: 65_000 })]), ['cpu']],
    ['memory', need([service('s', { models: [], memoryMiB: 300_000 })]), ['memory']],
    ['storage', need([service('s', { models: [], storageMiB: 9_000_000 })]), ['storage']],
    ['storage class', need([service('s', { models: [], storageClass: 'beta1' })]), ['storage_class']],
    ['any storage class', need([service('s', { models: [], storageClass: 'default' })]), []],
    ['region', need([service('s', { models: [] })], { regions: ['us-east'] }), ['region']],
    ['tier', need([service('s', { models: [] })], { tierFloor: 2 }), ['tier']],
    ['attributes', need([service('s', { models: [] })], { attributes: { host: 'bare' } }), ['attributes']],
    ['network', need([service('s', { models: [] })], { interconnect: 'roce' }), ['interconnect']],
    ['any network', need([service('s', { models: [] })], { interconnect: 'ethernet' }), []],
    ['slices', need([service('s', { models: [], sharing: { mode: 'mig' } })]), ['gpu_sharing']],
    ['slots', need([service('s', { models: [], sharing: { mode: 'shared', milli: 1 } })]), ['gpu_sharing']],
    ['price', need([service('s', { models: [], maxRate: '0.39' })]), ['price']],
    [
      'several',
      need([service('s', { models: [{ model: 'h100' }], maxRate: '0.1' })]),
      ['gpu_model', 'price'],
    ],
    ['none', need([service('s', { models: [{ model: 'a100', vramMiB: 40_000 }] })]), []],
  ])('%s', (_, request, expected) => {
    expect(failed(a100, request)).toEqual(expected);
  });

  it('duration, and who may offer', () => {
    const world = worldOf(['p', 'o', { minSeconds: 60, maxSeconds: 600 }]);
    const services = [group('main', [service('s')])];
    expect(failed(world, requestFor(services, { durationSeconds: 601 }))).toEqual(['duration']);
    expect(failed(world, requestFor(services, { durationSeconds: 59 }))).toEqual(['duration']);
    const short = { durationSeconds: 60 };
    expect(
      failed(world, requestFor(services, { ...short, includeProviders: [idOf('provider', 'q')] })),
    ).toEqual(['provider_included']);
    expect(
      failed(world, requestFor(services, { ...short, excludeProviders: [idOf('provider', 'p')] })),
    ).toEqual(['provider_excluded']);
    world.market.apply(
      {
        type: 'ProviderDeactivated',
        providerId: idOf('provider', 'p'),
        stakeMicros: 0n,
        reason: 'stake_below_minimum',
        atMs: 1,
      },
      90,
    );
    expect(failed(world, requestFor(services, short))).toEqual(['provider_active']);
  });

  it('every failure has an expectation, and the two ways of checking agree', () => {
    const view = viewOf(a100.market, a100.book);
    const request = need([service('s', { models: [{ model: 'h100' }], maxRate: '0.1' })]);
    const [one] = view.offers();
    const subject = { need: groupNeeds(request)[0]!, ...one!, free: view.free(one!.offer) };
    expect(fitOf(subject)).toBeNull();
    expect(explain(request, view).constraints).toEqual([
      { constraint: 'gpu_model', failed: 1, expected: 'GPU h100' },
      { constraint: 'price', failed: 1, expected: 'at most 0.10 USDC/h' },
    ]);
  });
});
