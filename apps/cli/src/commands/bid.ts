import type { BidRequest, BidState } from '@gridbourse/sdk';
import { type Command, Option } from 'commander';
import { parsePositiveUsdc } from '../arguments.ts';
import { contextOf } from '../context.ts';
import { clock, perHour, state, table } from '../output/tables.ts';

const STATES = ['sealed', 'void', 'unfit', 'lost', 'won', 'fallen'] as const satisfies BidState[];

export const addBid = (program: Command): void => {
  const bid = program.command('bid').alias('bids').description('as a provider: bid in auctions');

  bid
    .command('auctions')
    .description('auctions that an offer of yours could serve, the first to close first')
    .action(async (_: unknown, command: Command) => {
      const { client, say, result } = contextOf(command);
      const auctions = await client.auctions();
      result({ items: auctions });
      const rows = auctions.flatMap(({ orderId, closesAt, groups }) =>
        groups.flatMap(({ group, needs, maxRate, offers }) =>
          offers.map(({ offerId, listRate, bid: placed }) => [
            ...[orderId, clock(closesAt), group, String(needs.gpus), perHour(maxRate)],
            ...[offerId, perHour(listRate), perHour(placed?.rate ?? null)],
          ]),
        ),
      );
      say(table(['order', 'closes', 'group', 'GPUs', 'pays up to', 'offer', 'list price', 'your bid'], rows));
    });

  bid
    .command('place <order>')
    .description('a sealed bid, in place of the one that the offer had')
    .requiredOption('--offer <offer>', 'what you would serve it with')
    .requiredOption('--rate <usdc>', 'per hour, for everything of the group')
    .option('--group <name>', 'which group, where the order has several')
    .option('--idempotency-key <key>', 'the same key gives the same bid, however often it is sent')
    .action(
      async (
        orderId: string,
        options: { offer: string; rate: string; group?: string; idempotencyKey?: string },
        command: Command,
      ) => {
        const { client, say, result } = contextOf(command);
        parsePositiveUsdc(options.rate);
        const request: BidRequest = { orderId, offerId: options.offer, rateUsdcPerHour: options.rate };
        if (options.group !== undefined) request.group = options.group;
        const placed = await client.placeBid(request, options.idempotencyKey);
        result(placed);
        say(`${placed.bidId}  ${state(placed.state)}  ${perHour(placed.rate)} for ${placed.group}`);
      },
    );

  bid
    .command('ls')
    .alias('list')
    .description('your bids, and those on your orders once their auctions have closed; newest first')
    .option('--order <order>', 'only bids on this order')
    .addOption(new Option('--state <state>', 'only bids in this state').choices(STATES))
    .action(async (options: { order?: string; state?: BidState }, command: Command) => {
      const { client, say, result } = contextOf(command);
      const page = await client.bids({
        ...(options.order === undefined ? {} : { orderId: options.order }),
        ...(options.state === undefined ? {} : { state: options.state }),
      });
      result(page);
      say(
        table(
          ['bid', 'order', 'group', 'provider', 'rate', 'state', 'score', 'why not'],
          page.items.map((b) => [
            ...[b.bidId, b.orderId, b.group, b.providerId, perHour(b.rate), state(b.state)],
            ...[b.score === null ? '-' : b.score.toFixed(3)],
            b.failed.map(({ constraint, detail }) => `${constraint}: ${detail}`).join('; '),
          ]),
        ),
      );
    });
};
