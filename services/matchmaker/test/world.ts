import { CapacityBook } from '../src/domain/capacity-book.ts';
import { Market } from '../src/domain/market.ts';
import { offerPublished, readyProvider } from './builders.ts';

export type World = { market: Market; book: CapacityBook };

/** A market of these offers, of providers that are ready, and nobody in it. */
export const worldOf = (...offers: Parameters<typeof offerPublished>[]): World => {
  const world = { market: new Market(), book: new CapacityBook() };
  for (const provider of new Set(offers.map(([name]) => name))) {
    readyProvider(provider).forEach((event, i) => world.market.apply(event, i + 1));
  }
  offers.forEach((offer, i) => world.market.apply(offerPublished(...offer), 10 + i));
  return world;
};
