import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { AnsweringPlatform, lines } from '../../test/answering-platform.ts';

// Real: the command, the SDK, HTTP. The platform is a server that answers what the test tells it.

let platform: AnsweringPlatform;

beforeAll(async () => {
  platform = await AnsweringPlatform.start();
});
afterAll(() => platform.stop());
beforeEach(() => platform.begin());
afterEach(() => platform.end());

const usdc = (text: string) => ({ usdc: text, micros: '0' });
const provider = (name: string) => ({
  ...{ providerId: `prv_${name}`, name, tier: 3, state: 'active' },
  place: { region: 'eu-west', country: 'FR', city: '', location: { latitude: 0, longitude: 0 } },
});
const offer = (of: string, model: string | null) => ({
  ...{ offerId: `off_${of}_${model}`, providerId: `prv_${of}`, gpusTotal: model === null ? 0 : 8 },
  gpu: model === null ? null : { model, vramMiB: 24_576, interface: 'pcie', sharing: { mode: 'whole' } },
  price: { perGpu: usdc('0.40'), perCpuCore: usdc('0.001') },
  ...{ listPricePerGpuHour: null, saving: null },
});

it('provider ls shows every provider and offer, however many pages there are', async () => {
  platform.answer(
    'GET /v1/providers',
    { items: [provider('a')], nextCursor: 'second' },
    { items: [provider('b'), provider('c')], nextCursor: null },
  );
  platform.answer(
    'GET /v1/offers',
    { items: [offer('a', 'rtx4090')], nextCursor: 'more' },
    { items: [offer('b', null), offer('a', 'h100')], nextCursor: null },
  );
  const shown = lines(await platform.run('provider', 'ls'));
  expect(shown.slice(1).map((line) => line.trim().split(/ {2,}/))).toEqual([
    ['a', 'eu-west', '3', 'active', 'rtx4090 24G', 'whole', '8', '$0.40/h', '-', '-'],
    ['h100 24G', 'whole', '8', '$0.40/h', '-', '-'],
    ['b', 'eu-west', '3', 'active', 'CPU', 'core', '-', '$0.001/h', '-', '-'],
    ['c', 'eu-west', '3', 'active', '-', '-', '-', '-', '-', '-'],
  ]);
  expect(platform.asked.map(({ url }) => new URL(url, platform.origin).searchParams.get('cursor'))).toEqual([
    ...[null, 'second', null, 'more'],
  ]);
});
