import { migCompute } from '@gridbourse/catalog';
import type { GpuSharing } from '@gridbourse/events';
import { formatUsdc, parseUsdc } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import { group, idOf, offerPublished, readyProvider, requestFor, service } from '../../test/builders.ts';
import { CapacityBook } from './capacity-book.ts';
import { gpuThroughput, listRateMicrosPerHour, profileStep } from './catalogue.ts';
import { explain } from './explanation.ts';
import { Market } from './market.ts';
import { indexedViewOf, matchOrder } from './matching.ts';
import type { MatchRequest } from './requirements.ts';
import { smallestChange } from './smallest-change.ts';

const WHOLE: GpuSharing = { mode: 'whole' };
const mig = (profile: string): GpuSharing => ({ mode: 'mig', profile });
const slots = (slotsPerGpu: number): GpuSharing => ({ mode: 'shared', slotsPerGpu });

type OfferOptions = NonNullable<Parameters<typeof offerPublished>[2]>;

/** One provider with these offers, by name. */
const marketOf = (offers: Readonly<Record<string, OfferOptions>>) => {
  const market = new Market();
  readyProvider('p').forEach((event, i) => market.apply(event, i + 1));
  Object.entries(offers).forEach(([word, options], i) =>
    market.apply(offerPublished('p', word, { model: 'a100', vramGiB: 80, ...options }), 10 + i),
  );
  return indexedViewOf(market, new CapacityBook());
};

type Asked = NonNullable<Parameters<typeof service>[1]>;
const ask = (options: Asked, ofGroup: Parameters<typeof group>[2] = {}): MatchRequest =>
  requestFor([group('main', [service('s', { models: [{ model: 'a100' }], ...options })], ofGroup)]);
const slices = (profile: string | null, more: Asked = {}): MatchRequest =>
  ask({ sharing: { mode: 'mig' }, models: [{ model: 'a100', migProfile: profile }], ...more });
const share = (milli: number): MatchRequest => ask({ sharing: { mode: 'shared', milli } });

const gpuOf = (request: MatchRequest) => request.spec.groups[0]!.services[0]!.resources.gpu;

const failures = (request: MatchRequest, options: OfferOptions): string[] =>
  explain(request, marketOf({ o: options })).nearest.flatMap(({ failed }) =>
    failed.map(({ constraint, detail }) => `${constraint}: ${detail}`),
  );

describe('how GPUs are shared', () => {
  it.each<[string, MatchRequest, GpuSharing, string[]]>([
    ['whole for whole', ask({}), WHOLE, []],
    ['slices for whole', ask({}), mig('7g.80gb'), ['gpu_sharing: sells MIG slices of 7g.80gb']],
    ['slots for whole', ask({}), slots(2), ['gpu_sharing: sells time slices of 1/2']],
    ['whole for slices', slices(null), WHOLE, ['gpu_sharing: sells whole GPUs']],
    ['slots for slices', slices(null), slots(2), ['gpu_sharing: sells time slices of 1/2']],
    ['any slices', slices(null), mig('1g.10gb'), []],
    ['the very slices', slices('1g.10gb'), mig('1g.10gb'), []],
    ['larger slices', slices('1g.10gb'), mig('2g.20gb'), ['gpu_sharing: sells MIG slices of 2g.20gb']],
    ['whole for slots', share(1), WHOLE, ['gpu_sharing: sells whole GPUs']],
    ['slices for slots', share(1), mig('1g.10gb'), ['gpu_sharing: sells MIG slices of 1g.10gb']],
    ['slots of just that size', share(100), slots(10), []],
    ['slots a thousandth too small', share(101), slots(10), ['gpu_sharing: sells time slices of 1/10']],
    ['a third is 333 thousandths', share(333), slots(3), []],
    ['a sixth is 166 thousandths', share(166), slots(6), []],
    ['not the nearest 167', share(167), slots(6), ['gpu_sharing: sells time slices of 1/6']],
    ['and no more', share(334), slots(3), ['gpu_sharing: sells time slices of 1/3']],
  ])('%s', (_, request, sharing, expected) => {
    expect(failures(request, { sharing })).toEqual(expected);
    expect(matchOrder(request, marketOf({ o: { sharing } })) === null).toBe(expected.length > 0);
  });

  it('a profile counts for the model and the card it was asked of', () => {
    const models = [
      { model: 'a100', vramMiB: 81_920, migProfile: '2g.20gb' },
      { model: 'a100', vramMiB: 40_960, migProfile: '1g.5gb' },
      { model: 'h100', migProfile: '1g.10gb' },
    ];
    const request = ask({ sharing: { mode: 'mig' }, models });
    expect(failures(request, { sharing: mig('2g.20gb') })).toEqual([]);
    expect(failures(request, { sharing: mig('1g.10gb') })).toEqual([
      'gpu_sharing: sells MIG slices of 1g.10gb',
    ]);
    // The larger card does for who asks for the smaller one as well, and so do its slices of that name.
    expect(failures(request, { sharing: mig('1g.5gb') })).toEqual([]);
    expect(failures(request, { sharing: mig('1g.5gb'), vramGiB: 40 })).toEqual([]);
    expect(failures(request, { model: 'h100', sharing: mig('1g.10gb') })).toEqual([]);
    expect(failures(request, { model: 'h100', sharing: mig('2g.20gb') })).toEqual([
      'gpu_sharing: sells MIG slices of 2g.20gb',
    ]);
    // What is not asked for at all is told by its model alone.
    expect(failures(request, { model: 'a30', sharing: mig('1g.6gb') })).toEqual(['gpu_model: has a30']);
  });

  it('VRAM is that of the card, of which the slice is a part', () => {
    const request = slices('1g.10gb');
    const large = slices('1g.10gb', {
      models: [{ model: 'a100', vramMiB: 81_920, migProfile: '1g.10gb' }],
    });
    expect(failures(large, { sharing: mig('1g.10gb'), vramGiB: 80 })).toEqual([]);
    expect(failures(large, { sharing: mig('1g.10gb'), vramGiB: 40 })).toEqual(['gpu_vram: has 40960 MiB']);
    expect(failures(request, { sharing: mig('1g.10gb'), vramGiB: 40 })).toEqual([]);
  });

  it('what was expected is said in words', () => {
    const expected = (request: MatchRequest): string[] =>
      explain(request, marketOf({ o: { sharing: mig('7g.80gb') } })).constraints.map(
        (one) => `${one.constraint}: ${one.expected}`,
      );
    expect(expected(ask({}))).toEqual(['gpu_sharing: whole GPUs']);
    expect(expected(slices('1g.10gb'))).toEqual(['gpu_sharing: MIG slices of 1g.10gb']);
    expect(expected(share(250))).toEqual(['gpu_sharing: time slices of at least 250 thousandths']);
    expect(expected(ask({ sharing: { mode: 'mig' } }, { interconnect: 'infiniband' }))).toEqual([
      'interconnect: infiniband or faster between machines',
    ]);
  });

  it.each(['ethernet', 'roce', 'infiniband', 'nvlink'] as const)(
    '%s does for whoever asks for less',
    (has) => {
      const order = ['ethernet', 'roce', 'infiniband', 'nvlink'] as const;
      for (const asked of order) {
        const request = ask({}, { interconnect: asked });
        const good = order.indexOf(asked) <= order.indexOf(has);
        expect(failures(request, { interconnect: has })).toEqual(good ? [] : [`interconnect: has ${has}`]);
      }
    },
  );
});

describe('what a part of a GPU is worth', () => {
  const a100 = { model: 'a100', vendor: 'nvidia', vramMiB: 81_920, interface: 'sxm' } as const;

  it('its share of the throughput', () => {
    const whole = gpuThroughput({ ...a100, sharing: WHOLE });
    expect(gpuThroughput(a100)).toBe(whole);
    expect(gpuThroughput({ ...a100, sharing: slots(4) })).toBeCloseTo(whole / 4, 12);
    const compute = migCompute('a100', '2g.20gb');
    expect(gpuThroughput({ ...a100, sharing: mig('2g.20gb') })).toBeCloseTo(whole * compute, 12);
    expect(compute).toBeLessThan(0.5);
  });

  it('its share of the list price, rounded down', () => {
    const rate = (sharing: GpuSharing, gpus: number): string =>
      formatUsdc(listRateMicrosPerHour({ ...a100, sharing }, gpus)!);
    expect(rate(WHOLE, 2)).toBe('16.00');
    expect(rate(slots(10), 2)).toBe('1.60');
    expect(rate(slots(3), 1)).toBe('2.666666');
    expect(rate(mig('1g.10gb'), 7)).toBe('8.00');
    expect(rate(mig('1g.10gb'), 7_000)).toBe('8000.00'); // a share rounded to the billionth gives 8 micros more
    expect(rate(mig('1g.10gb'), 1)).toBe('1.142857');
  });

  it('and is what a match is compared with', () => {
    const request = share(100);
    const match = matchOrder(request, marketOf({ o: { sharing: slots(10), perGpu: '0.20' } }));
    expect(match?.groups[0]?.listRateMicrosPerHour).toBe(parseUsdc('0.80'));
  });

  it('the fastest unit that fits wins where only speed counts', () => {
    const request: MatchRequest = {
      ...slices(null),
      weights: { cost: 0, geography: 0, performance: 1, reliability: 0, fit: 0 },
    };
    const view = marketOf({ small: { sharing: mig('1g.10gb') }, large: { sharing: mig('3g.40gb') } });
    expect(matchOrder(request, view)?.groups[0]).toMatchObject({
      offerId: idOf('offer', 'large'),
      terms: { performance: 1 },
    });
  });

  it('profiles are told apart by doublings of compute and memory', () => {
    expect(profileStep('a100', '1g.10gb', '1g.10gb')).toEqual({ doublings: 0, less: false });
    expect(profileStep('a100', '1g.10gb', '2g.20gb')).toEqual({ doublings: 2, less: false });
    expect(profileStep('a100', '2g.20gb', '1g.10gb')).toEqual({ doublings: 2, less: true });
  });
});

describe('the smallest change', () => {
  const changeOf = (request: MatchRequest, offers: Readonly<Record<string, OfferOptions>>) => {
    const view = marketOf(offers);
    expect(matchOrder(request, view)).toBeNull();
    const change = smallestChange(request, view);
    if (change) expect(matchOrder(change.request, view)).not.toBeNull();
    return change;
  };

  it('takes whole GPUs where only those are sold', () => {
    const change = changeOf(slices('1g.10gb'), { o: {} });
    expect(change).toMatchObject({
      field: 'groups.main.gpu.sharing',
      from: 'MIG slices of 1g.10gb',
      to: 'whole GPUs',
    });
    expect(gpuOf(change!.request)).toEqual(gpuOf(ask({})));
    expect(changeOf(share(300), { o: {} })).toMatchObject({
      from: 'time slices of at least 300 thousandths',
    });
  });

  it('takes the nearest other profile, a larger one first', () => {
    const offers = {
      less: { sharing: mig('1g.10gb') },
      far: { sharing: mig('7g.80gb') },
      more: { sharing: mig('3g.40gb') },
    };
    expect(changeOf(slices('2g.20gb'), offers)).toMatchObject({
      field: 'groups.main.gpu.models.a100.migProfile',
      from: '2g.20gb',
      to: '2g.20gb or 3g.40gb',
    });
    expect(changeOf(slices('2g.20gb'), { less: offers.less })).toMatchObject({ to: '2g.20gb or 1g.10gb' });
  });

  it('leaves the other models of the order as they are', () => {
    const models = [
      { model: 'a100', vramMiB: 40_960, migProfile: '1g.10gb' },
      { model: 'h100', migProfile: '1g.10gb' },
      { model: 'a100', interface: 'sxm' as const, migProfile: '1g.10gb' },
    ];
    const request = ask({ sharing: { mode: 'mig' }, models });
    const change = changeOf(request, { o: { sharing: mig('3g.40gb') } });
    expect(gpuOf(change!.request)?.models).toEqual([
      ...gpuOf(request)!.models,
      { model: 'a100', vramMiB: 40_960, interface: null, migProfile: '3g.40gb' },
      { model: 'a100', vramMiB: null, interface: 'sxm', migProfile: '3g.40gb' },
    ]);
  });

  it('takes the largest share that is sold', () => {
    const offers = { tenth: { sharing: slots(10) }, fifth: { sharing: slots(5) } };
    expect(changeOf(share(300), offers)).toMatchObject({
      field: 'groups.main.gpu.sharing.milli',
      from: '300',
      to: '200',
    });
  });

  it('takes the fastest network below', () => {
    const offers = { slow: {}, medium: { interconnect: 'roce' as const } };
    expect(changeOf(ask({}, { interconnect: 'nvlink' }), offers)).toMatchObject({
      field: 'groups.main.interconnect',
      from: 'nvlink',
      to: 'roce',
    });
  });

  it('never gives slices or slots to who asked for whole GPUs', () => {
    expect(changeOf(ask({}), { slice: { sharing: mig('7g.80gb') }, slot: { sharing: slots(2) } })).toBeNull();
  });
});
