import { auctionText, explanationText } from '../output/tables.ts';
import { icl, sdl } from './manifests.ts';
import type { MarketControl } from './market-control.ts';
import type { Stage } from './stage.ts';

export type Scenario = {
  title: string;
  play(stage: Stage, market: MarketControl | undefined): Promise<void>;
};

const instantOrder: Scenario = {
  title: 'An order that runs at once, and is ended by its tenant',
  async play(stage) {
    const order = await stage.place({ manifest: icl('notebook', { gpu: 'rtx4090' }) });
    const lease = await stage.running(order.orderId);
    stage.say(`${lease.leaseId} runs at $${lease.rate.usdc}/h`);
    await stage.metered(lease.leaseId, 2);
    await stage.client.closeLease(lease.leaseId);
    const closed = await stage.closed(order.orderId, 'tenant');
    stage.say(`closed: paid $${closed.paid?.usdc}, refunded $${closed.refunded?.usdc}`);
  },
};

const jobThatCompletes: Scenario = {
  title: 'A job that completes, and with it its lease',
  async play(stage) {
    const order = await stage.place({
      manifest: sdl('finetune', { gpu: 'a100', image: 'busybox:1.37', command: ['sleep', '3'] }),
      run: 'job',
      durationSeconds: 600,
    });
    const closed = await stage.closed(order.orderId, 'completed');
    stage.say(`ran to completion: paid $${closed.paid?.usdc}, refunded $${closed.refunded?.usdc}`);
  },
};

/** Takes every V100 of the market; the second such order must wait for the first to end. */
const orderThatWaits: Scenario = {
  title: 'An order that cannot match, says why, and is matched when capacity appears',
  async play(stage) {
    const first = await stage.place({ manifest: icl('first', { gpu: 'v100', gpus: 8 }) });
    const holder = await stage.running(first.orderId);
    stage.say(`${holder.leaseId} holds all eight V100s of the market`);
    const second = await stage.place({ manifest: icl('second', { gpu: 'v100', gpus: 8 }) });
    const waiting = await stage.order(
      second.orderId,
      (o) => o.state === 'unmatched',
      'the second order to wait',
    );
    if (waiting.explanation) stage.say(explanationText(waiting.explanation));
    await stage.client.closeLease(holder.leaseId);
    const lease = await stage.running(second.orderId);
    stage.say(`${lease.leaseId} was matched when the first order's GPUs were free again`);
    await stage.client.closeLease(lease.leaseId);
    await stage.closed(second.orderId, 'tenant');
  },
};

const cancelledOrder: Scenario = {
  title: 'An order that nobody sells at its price, and is cancelled',
  async play(stage) {
    const order = await stage.place({ manifest: icl('cheap', { gpu: 'h100' }), maxRateUsdcPerHour: '0.10' });
    const waiting = await stage.order(order.orderId, (o) => o.state === 'unmatched', 'the order to wait');
    if (waiting.explanation?.smallestChange)
      stage.say(`would match: ${waiting.explanation.smallestChange.text}`);
    await stage.client.cancelOrder(order.orderId);
    await stage.order(order.orderId, (o) => o.state === 'cancelled', 'the cancelled order');
    stage.say('cancelled; nothing was locked, nothing is owed');
  },
};

const escrowThatRunsOut: Scenario = {
  title: 'A lease whose escrow runs out',
  async play(stage) {
    const order = await stage.place({ manifest: icl('short', { gpu: 'rtx3090' }), durationSeconds: 5 });
    const closed = await stage.closed(order.orderId, 'escrow_exhausted');
    stage.say(`closed at zero-time: paid $${closed.paid?.usdc} of $${closed.lock.usdc} locked`);
  },
};

const providerThatDies: Scenario = {
  title: 'A provider that dies in mid lease',
  async play(stage, market) {
    if (!market) {
      stage.say('left out: no local market runs here');
      return;
    }
    const order = await stage.place({ manifest: icl('unlucky', { gpu: 'l40s' }) });
    const lease = await stage.running(order.orderId);
    await stage.metered(lease.leaseId, 2);
    const victim = (await market.providers()).find((p) => p.providerId === lease.providerId);
    if (!victim) throw new Error(`the local market does not know ${lease.providerId}`);
    stage.say(`${victim.name} goes dark`);
    await market.kill(victim.name);
    try {
      const closed = await stage.closed(order.orderId, 'provider_lost');
      stage.say(
        `closed: paid $${closed.paid?.usdc} for what is proven to have run, refunded $${closed.refunded?.usdc}`,
      );
    } finally {
      await market.revive(victim.name);
    }
    await stage.lease(order.orderId, (l) => l.capacityReleased, 'proof that nothing of it is left');
    stage.say(`${victim.name} is back: what was left of the workload is proven gone`);
  },
};

/** Enough starts for the percentiles to mean something. */
const RUSH = 12;
const RUSH_GPUS = ['rtx4090', 'rtx5090', 'h100', 'h200', 'a100', 'a6000'];

const rush: Scenario = {
  title: `${RUSH} jobs at once`,
  async play(stage) {
    const orders = [];
    for (let index = 0; index < RUSH; index += 1) {
      orders.push(
        await stage.place({
          manifest: icl(`rush-${index}`, {
            gpu: RUSH_GPUS[index % RUSH_GPUS.length]!,
            image: 'busybox:1.37',
            command: ['sleep', '2'],
          }),
          run: 'job',
        }),
      );
    }
    for (const order of orders) await stage.closed(order.orderId, 'completed');
    stage.say('all completed, settled and refunded');
  },
};

const auctionedOrder: Scenario = {
  title: 'An order that providers bid for, under seal',
  async play(stage) {
    const manifest = icl('auctioned', { gpu: 'rtx4090' });
    const order = await stage.place({ manifest, mode: 'auction', windowSeconds: 2 });
    const lease = await stage.running(order.orderId);
    const { auction } = await stage.client.order(order.orderId);
    if (auction) stage.say(auctionText(auction));
    stage.say(`${lease.leaseId} runs at $${lease.rate.usdc}/h`);
    await stage.metered(lease.leaseId, 1);
    await stage.client.closeLease(lease.leaseId);
    const closed = await stage.closed(order.orderId, 'tenant');
    stage.say(`closed: paid $${closed.paid?.usdc}, refunded $${closed.refunded?.usdc}`);
  },
};

export const SCENARIOS: readonly Scenario[] = [
  instantOrder,
  jobThatCompletes,
  orderThatWaits,
  cancelledOrder,
  escrowThatRunsOut,
  rush,
  providerThatDies,
  auctionedOrder,
];
