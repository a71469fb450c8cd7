import { type BidId, DomainError, parseUsdc } from '@gridbourse/kernel';
import { type Bid, bidStateOf } from '../src/domain/auction.ts';
import { isEnded, type Order } from '../src/domain/order.ts';
import { placeBid } from '../src/domain/process/bidding.ts';
import { Bench } from './bench.ts';
import { group, idOf, offerPublished, readyProvider, service, submission } from './builders.ts';

export const WINDOW_MS = 5_000;
export const MAIN = group('main', [service('web')]);
/** One GPU, four cores, 8 GiB of memory, 10 GiB of storage at the prices of `offerPublished`, beside the GPU's own. */
const BESIDE_THE_GPU_MICROS = 4n * 1_000n + 8n * 139n + 10n * 14n;

/** What the list asks for `MAIN`, by the price of a GPU. */
export const listRate = (perGpu: string): bigint => parseUsdc(perGpu) + BESIDE_THE_GPU_MICROS;

/** Providers of equal worth: only what they ask tells them apart. The name of each is the word of its offer too. */
export const addBidders = (bench: Bench, names: readonly string[], perGpu = '0.50'): Bench => {
  for (const name of names) bench.market(...readyProvider(name), offerPublished(name, name, { perGpu }));
  return bench;
};

export const openAuction = (
  bench: Bench,
  word: string,
  options: Parameters<typeof submission>[2] = {},
  groups = [MAIN],
) => bench.submit(submission(word, groups, { biddingWindowMs: WINDOW_MS, ...options }));

export const bidIdOf = (...parts: string[]): BidId => idOf('bid', parts.join('/'));

/** The provider of this name bids with its offer of the same name. */
export const bid = (
  bench: Bench,
  word: string,
  name: string,
  usdcPerHour: string,
  options: { group?: string; by?: string } = {},
): Bid =>
  bench.run((unit) =>
    placeBid(
      unit,
      idOf('account', `owner of ${options.by ?? name}`),
      {
        orderId: idOf('order', word),
        offerId: idOf('offer', name),
        group: options.group ?? null,
        rateMicrosPerHour: parseUsdc(usdcPerHour),
      },
      bidIdOf,
    ),
  );

/** An auction `x` among providers of equal worth. */
export const auctionOf = (names: readonly string[] = ['a', 'b', 'c']): Bench => {
  const bench = addBidders(new Bench(), names);
  openAuction(bench, 'x');
  return bench;
};
/** The order as the events tell it; the first auction of a test is called `x`. */
export const orderIn = (bench: Bench, word = 'x'): Order => bench.order(idOf('order', word));
export const closeAuction = (bench: Bench): Bench => bench.pass(WINDOW_MS);
export const resultOf = (bench: Bench, word = 'x') => orderIn(bench, word).auction!.result!;
/** State of each bid, by its provider. */
export const states = (bench: Bench, word = 'x') =>
  Object.fromEntries(
    orderIn(bench, word).auction!.bids.map((one) => [
      bench.exchange.market.provider(one.providerId)!.name,
      bidStateOf(one, isEnded(orderIn(bench, word).state)),
    ]),
  );
/** The code of the refusal, or `taken`. */
export const refusal = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    if (error instanceof DomainError) return error.code;
    throw error;
  }
  return 'taken';
};
