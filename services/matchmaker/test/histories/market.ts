import type { GpuSharing } from '@gridbourse/events';
import { Bench } from '../bench.ts';
import { offerPublished, readyProvider } from '../builders.ts';

export const PROVIDERS = ['p0', 'p1', 'p2'];

/** What they sell, and whose it is. */
export const OFFERS = [
  ...PROVIDERS.map((name) => ({ name, word: `gpu of ${name}` })),
  { name: 'p0', word: 'slots of p0' },
];
export const SLOTS_PER_GPU = 4;
const SLOTS: GpuSharing = { mode: 'shared', slotsPerGpu: SLOTS_PER_GPU };

/** Three providers of three GPUs each, of whom one asks its owner; one sells slots of GPUs too. */
export const openMarket = (): Bench => {
  const bench = new Bench();
  for (const [i, name] of PROVIDERS.entries()) {
    bench.market(
      ...readyProvider(name),
      offerPublished(name, `gpu of ${name}`, {
        nodes: [
          { gpus: 2, cpu: 16 },
          { gpus: 1, cpu: 8 },
        ],
        autoAccept: i !== 1,
      }),
    );
  }
  bench.market(
    offerPublished('p0', 'slots of p0', {
      nodes: [{ gpus: 4 }],
      machines: 'slots',
      sharing: SLOTS,
      perGpu: '0.10',
    }),
  );
  return bench;
};
