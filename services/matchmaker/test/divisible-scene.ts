import { nextInt, type Random } from '@gridbourse/kernel';
import { CapacityBook } from '../src/domain/capacity-book.ts';
import { Market } from '../src/domain/market.ts';
import type { MatchRequest } from '../src/domain/requirements.ts';
import { group, idOf, offerPublished, readyProvider, requestFor, service } from './builders.ts';

export type DivisibleScene = { market: Market; book: CapacityBook; request: MatchRequest };

/** A few small offers in one or two regions, some of them partly taken, and an order whose groups may be divided. */
export const divisibleScene = (random: Random): DivisibleScene => {
  const int = (bound: number): number => nextInt(random, bound);
  const pick = <T>(...all: T[]): T => all[int(all.length)]!;
  const market = new Market();
  const book = new CapacityBook();
  const providers = 3 + int(3);
  const regions = pick(['eu-west'], ['eu-west', 'us-east']);
  for (let i = 0; i < providers; i += 1) {
    const events = readyProvider(`p${i}`, {
      tier: 1 + int(7),
      region: pick(...regions),
      attributes: pick({}, {}, {}, { host: 'bare' }),
    });
    const offers = Array.from({ length: pick(1, 1, 1, 2) }, (_, at) =>
      offerPublished(`p${i}`, `o${i}${at}`, {
        model: pick('rtx4090', 'rtx4090', 'rtx4090', 'a100', null),
        nodes: Array.from({ length: 1 + int(2) }, () => ({
          gpus: pick(1, 2, 2, 4),
          cpu: pick(4, 8, 12),
          memoryGiB: pick(16, 32),
          storageGiB: pick(40, 200),
        })),
        machines: `o${i}${at}`,
        perGpu: pick('0.20', '0.40', '0.41', '1.50'),
        storageClasses: pick(['default', 'beta2'], ['default', 'beta2'], []),
      }),
    );
    [...events, ...offers].forEach((event, at) => market.apply(event, at + 1));
    const [offer] = offers;
    if (int(3) > 0) continue;
    const { name, gpus } = offer!.nodes[0]!;
    book.put({
      leaseId: idOf('lease', `${i}`),
      providerId: offer!.providerId,
      offerId: offer!.offerId,
      unit: 'whole',
      claim: 'committed',
      onNodes: new Map([[name, { gpus: int(gpus + 1), cpuMillis: 3_000, memoryMiB: 1_024, storageMiB: 0 }]]),
    });
  }
  const oneGroup = (name: string) =>
    group(
      name,
      Array.from({ length: pick(1, 1, 2) }, (_, at) =>
        service(`s${at}`, {
          gpus: pick(0, 1, 1, 2, 2),
          models: pick([], [], [{ model: 'rtx4090' }]),
          replicas: pick(1, 2, 3),
          cpuMillis: pick(1_000, 2_500, 4_000),
          memoryMiB: pick(1_024, 8_192),
          maxRate: pick('0.30', '0.60', '0.90', '5'),
          ...pick({}, {}, {}, {}, { storageClass: 'beta2' }),
        }),
      ),
      {
        maxProviders: pick(1, 2, 2, 3, 4),
        tierFloor: pick(7, 7, 7, 5),
        regions: pick([], [], [], ['us-east']),
        attributes: pick({}, {}, {}, {}, { host: 'bare' }),
      },
    );
  const request = requestFor(
    Array.from({ length: pick(1, 1, 1, 2) }, (_, at) => oneGroup(`g${at}`)),
    {
      orderId: idOf('order', `${int(1_000_000)}`),
      profile: pick('cheapest', 'balanced', 'fastest', 'nearest'),
      ...pick({}, {}, {}, {}, { excludeProviders: [idOf('provider', 'p1')] }),
    },
  );
  return { market, book, request };
};
