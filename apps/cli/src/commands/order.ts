import type { Order, OrderMode } from '@gridbourse/sdk';
import { type Command, Option } from 'commander';
import { wholeNumber } from '../arguments.ts';
import { type Context, contextOf } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { gpuText } from '../output/gpu-text.ts';
import {
  auctionText,
  clock,
  explanationText,
  matchText,
  partText,
  perHour,
  state,
  table,
  usdc,
} from '../output/tables.ts';
import { timelineLine } from '../output/timeline.ts';
import { manifestRequest, type OrderOptions, parseDuration, withOrderOptions } from './order-options.ts';

const wishesText = ({ weights, workloadClass, profile }: Order): string => {
  const own = weights && Object.entries(weights).filter(([, weight]) => weight > 0);
  return `weighed by ${own ? own.map(([term, weight]) => `${term} ${weight}`).join(', ') : `profile ${profile}`}, for ${workloadClass} work`;
};

const showOrder = (context: Context, order: Order): void => {
  const why = order.endedReason === null ? '' : ` (${order.endedReason})`;
  context.say(
    `${order.orderId}  ${state(order.state)}${why}  ${order.name}  up to ${perHour(order.maxRate)}`,
  );
  if (order.weights || order.workloadClass !== 'general') context.say(wishesText(order));
  if (order.endedDetail) context.say(order.endedDetail);
  if (order.auction) context.say(auctionText(order.auction));
  if (order.leases.length > 0) {
    context.say(
      table(
        ['lease', 'group', 'provider', 'GPU', 'state', 'rate', 'paid', 'refunded'],
        order.leases.map((l) => [
          l.leaseId,
          partText(l.group, l.part),
          l.providerId,
          gpuText(l.gpu),
          l.closeReason ? `${state(l.state)} (${l.closeReason})` : state(l.state),
          perHour(l.rate),
          usdc(l.paid),
          usdc(l.refunded),
        ]),
      ),
    );
  }
  if (order.explanation && order.state === 'unmatched') context.say(explanationText(order.explanation));
};

/** As an order is left that was given up before all of it had run. */
const NEVER_RAN: ReadonlySet<string> = new Set(['unmatched', 'cancelled', 'expired']);

const watch = async (context: Context, order: Order): Promise<void> => {
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  for await (const item of context.client.timeline(order.orderId, stop.signal)) {
    if (context.json) context.result(item);
    else context.say(timelineLine(item, Date.parse(order.submittedAt)));
  }
};

export const addOrder = (program: Command): void => {
  const order = program.command('order').alias('orders').description('put workloads into the book');

  withOrderOptions(order.command('create').description('send a manifest as an order'))
    .option('--wait <time>', 'how long it may wait in the book, like 10m (default 1h)')
    .addOption(
      new Option(
        '--mode <mode>',
        'instant: matched at once; auction: providers bid sealed, then the best is taken (default: instant)',
      ).choices(['instant', 'auction'] as const),
    )
    .option('--window <seconds>', 'how long an auction takes bids (default 5)', wholeNumber(1, 86_400))
    .option('--watch', 'follow its life until it has ended')
    .option('--idempotency-key <key>', 'the same key gives the same order, however often it is sent')
    .action(
      async (
        options: OrderOptions & {
          wait?: string;
          mode?: OrderMode;
          window?: number;
          watch?: boolean;
          idempotencyKey?: string;
        },
        command: Command,
      ) => {
        const context = contextOf(command);
        const created = await context.client.createOrder(
          {
            ...manifestRequest(options),
            ...(options.wait === undefined ? {} : { waitSeconds: parseDuration(options.wait) }),
            ...(options.mode === undefined ? {} : { mode: options.mode }),
            ...(options.window === undefined ? {} : { windowSeconds: options.window }),
          },
          options.idempotencyKey,
        );
        context.result(created);
        for (const warning of created.warnings) context.say(`note: ${warning}`);
        showOrder(context, created);
        if (!options.watch) {
          if (created.state === 'unmatched') process.exitCode = EXIT.refused;
          return;
        }
        await watch(context, created);
        const watched = await context.client.order(created.orderId);
        showOrder(context, watched);
        if (NEVER_RAN.has(watched.state)) process.exitCode = EXIT.refused;
      },
    );

  order
    .command('ls')
    .description('orders, newest first')
    .option('--state <state>', 'only orders in this state')
    .action(async (options: { state?: string }, command: Command) => {
      const context = contextOf(command);
      const page = await context.client.orders(options);
      context.result(page);
      context.say(
        table(
          ['order', 'name', 'state', 'up to', 'submitted'],
          page.items.map((o) => [
            o.orderId,
            o.name,
            state(o.state),
            perHour(o.maxRate),
            clock(o.submittedAt),
          ]),
        ),
      );
    });

  order
    .command('show <order>')
    .description('one order and its leases')
    .action(async (orderId: string, _: unknown, command: Command) => {
      const context = contextOf(command);
      const found = await context.client.order(orderId);
      context.result(found);
      showOrder(context, found);
    });

  order
    .command('explain <order>')
    .description(
      'why an order waits and the smallest change that would match it, or what it was matched with',
    )
    .action(async (orderId: string, _: unknown, command: Command) => {
      const context = contextOf(command);
      const explanation = await context.client.explanation(orderId);
      context.result(explanation);
      if (explanation.auction) context.say(auctionText(explanation.auction));
      context.say(explanationText(explanation));
      if (explanation.match) context.say(matchText(explanation.match));
    });

  order
    .command('watch <order>')
    .description('its life, from the beginning until it has ended')
    .action(async (orderId: string, _: unknown, command: Command) => {
      const context = contextOf(command);
      await watch(context, await context.client.order(orderId));
    });

  order
    .command('cancel <order>')
    .description('take it out of the book; funded leases of it are closed')
    .action(async (orderId: string, _: unknown, command: Command) => {
      const context = contextOf(command);
      const cancelled = await context.client.cancelOrder(orderId);
      context.result(cancelled);
      showOrder(context, cancelled);
    });
};
