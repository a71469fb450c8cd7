import { type Caller, CLOCK, deterministicId, SERVICE_CONFIG } from '@gridbourse/api';
import {
  type AccountId,
  type Clock,
  conflict,
  notFound,
  type OfferId,
  type OrderId,
  parseUsdc,
} from '@gridbourse/kernel';
import { type BeforeApplicationShutdown, Inject, Injectable } from '@nestjs/common';
import { auctionClosed } from '../../domain/auction.ts';
import { type OpenAuction, openAuctionsFor, placeBid } from '../../domain/process/bidding.ts';
import type { MatchmakerConfig } from '../../matchmaker.config.ts';
import type { BidEntity } from '../../read-models/bid.entity.ts';
import { BidReader } from '../../read-models/bid-reader.ts';
import { OrderReader } from '../../read-models/order-reader.ts';
import { AuctionSignals } from '../../writer/auction-signals.ts';
import { Matchmaker } from '../../writer/matchmaker.ts';
import type { BidRequestBody } from './bid-request.ts';

/** Between two looks of those who wait for an auction that no signal has told them of. */
const LOOK_AGAIN_MS = 5_000;

/** What a provider does in auctions. */
@Injectable()
export class BidDeskService implements BeforeApplicationShutdown {
  private readonly stopping = new AbortController();
  /** Answers held back, by account. */
  private readonly waiting = new Map<string, number>();

  constructor(
    private readonly matchmaker: Matchmaker,
    private readonly bids: BidReader,
    private readonly orders: OrderReader,
    private readonly signals: AuctionSignals,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(SERVICE_CONFIG) private readonly config: MatchmakerConfig,
  ) {}

  /**
   * Places a sealed bid, or replaces the one before. The same bid again changes nothing.
   * @throws DomainError as `placeBid` does
   */
  async place(caller: Caller, request: BidRequestBody): Promise<BidEntity> {
    const orderId = request.orderId as OrderId;
    if (!this.matchmaker.exchange.order(orderId)) await this.refuseHistory(orderId);
    const { bidId } = await this.matchmaker.execute((unit) =>
      placeBid(
        unit,
        caller.accountId as AccountId,
        {
          orderId,
          offerId: request.offerId as OfferId,
          group: request.group ?? null,
          rateMicrosPerHour: parseUsdc(request.rateUsdcPerHour),
        },
        (...parts) => deterministicId('bid', ...parts),
      ),
    );
    return this.bids.bid(caller.accountId, bidId);
  }

  /** Over with all its leases: only the database still knows it. */
  private async refuseHistory(orderId: OrderId): Promise<never> {
    const order = await this.orders.find(orderId);
    if (!order) throw notFound('order', orderId);
    if (order.biddingClosesAtMs !== null) throw auctionClosed(orderId, order.biddingClosesAtMs);
    throw conflict('not_an_auction', `order ${orderId} is ${order.state}: it takes no bids`);
  }

  /**
   * Auctions that an offer of the caller could serve, the first to close first.
   * @param waitMs where there is none, the answer comes when there is, or after so long; at once where the caller has too
   * many such answers held back already, or where this service stops
   */
  async open({ accountId }: Caller, waitMs = 0): Promise<OpenAuction[]> {
    const look = (): OpenAuction[] =>
      openAuctionsFor(this.matchmaker.exchange, accountId as AccountId, this.clock.now());
    const waiting = this.waiting.get(accountId) ?? 0;
    if (waitMs <= 0 || waiting >= this.config.maxStreams) return look();
    this.waiting.set(accountId, waiting + 1);
    try {
      return await this.lookUntil(look, performance.now() + waitMs);
    } finally {
      const left = (this.waiting.get(accountId) ?? 1) - 1;
      if (left > 0) this.waiting.set(accountId, left);
      else this.waiting.delete(accountId);
    }
  }

  private async lookUntil(look: () => OpenAuction[], until: number): Promise<OpenAuction[]> {
    const { signal } = this.stopping;
    for (;;) {
      const left = until - performance.now();
      const news = this.signals.next('opened', Math.max(0, Math.min(left, LOOK_AGAIN_MS)), signal);
      const found = look();
      if (found.length > 0 || left <= 0 || signal.aborted) {
        news.cancel();
        return found;
      }
      await news.promise;
    }
  }

  beforeApplicationShutdown(): void {
    this.stopping.abort();
  }
}
