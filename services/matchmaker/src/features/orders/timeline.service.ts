import { type Caller, SERVICE_CONFIG } from '@gridbourse/api';
import { DomainError, type OrderId } from '@gridbourse/kernel';
import { Inject, Injectable } from '@nestjs/common';
import type { MatchmakerConfig } from '../../matchmaker.config.ts';
import { OrderReader, type OrderWithLeases } from '../../read-models/order-reader.ts';
import { type TimelineItem, TimelineReader } from '../../read-models/timeline-reader.ts';
import { OrderSignals } from '../../writer/order-signals.ts';
import { LOOK_AGAIN_MS } from './order-desk.service.ts';

const PAGE = 200;

/** Follows orders as they live, for those who watch. */
@Injectable()
export class TimelineService {
  private readonly open = new Map<string, number>();

  constructor(
    private readonly reader: OrderReader,
    private readonly timelines: TimelineReader,
    private readonly signals: OrderSignals,
    @Inject(SERVICE_CONFIG) private readonly config: MatchmakerConfig,
  ) {}

  /** @throws DomainError not_found. */
  async items(caller: Caller, orderId: string, afterId = '0', limit = PAGE): Promise<TimelineItem[]> {
    const { order } = await this.reader.order(caller.accountId, orderId);
    return this.timelines.behind(order.orderId, afterId, limit);
  }

  /**
   * Every item behind an id, then each as it happens, until the order and its leases have ended.
   * @throws DomainError not_found; exhausted `too_many_streams`.
   */
  async *follow(
    caller: Caller,
    orderId: string,
    afterId: string,
    abort: AbortSignal,
  ): AsyncGenerator<TimelineItem> {
    const { order } = await this.reader.order(caller.accountId, orderId);
    const release = this.admit(caller.accountId);
    try {
      let last = afterId;
      while (!abort.aborted) {
        const news = this.signals.next(order.orderId, LOOK_AGAIN_MS, abort);
        const ended = await this.reader.hasEnded(order.orderId);
        const items = await this.timelines.behind(order.orderId, last, PAGE);
        yield* items;
        last = items.at(-1)?.id ?? last;
        if (items.length > 0) news.cancel();
        else if (ended) return news.cancel();
        else await news.promise;
      }
    } finally {
      release();
    }
  }

  /** The order now and after every change, until it and its leases have ended. */
  async *watch(caller: Caller, orderId: string, abort: AbortSignal): AsyncGenerator<OrderWithLeases> {
    const release = this.admit(caller.accountId);
    try {
      let shown = '';
      while (!abort.aborted) {
        const news = this.signals.next(orderId as OrderId, LOOK_AGAIN_MS, abort);
        const ended = await this.reader.hasEnded(orderId as OrderId);
        const found = await this.reader.order(caller.accountId, orderId);
        // A sealed bid moves the version of its order: nobody shall learn of it by that.
        const version = found.order.state === 'bidding' ? 'bidding' : found.order.version;
        const versions = [version, ...found.leases.map((lease) => lease.version)].join();
        if (versions !== shown) yield found;
        shown = versions;
        if (ended) return news.cancel();
        await news.promise;
      }
    } finally {
      release();
    }
  }

  private admit(accountId: string): () => void {
    const open = this.open.get(accountId) ?? 0;
    if (open >= this.config.maxStreams) {
      throw new DomainError(
        'exhausted',
        'too_many_streams',
        `an account may have ${this.config.maxStreams} streams open`,
      );
    }
    this.open.set(accountId, open + 1);
    return () => {
      const left = (this.open.get(accountId) ?? 1) - 1;
      if (left > 0) this.open.set(accountId, left);
      else this.open.delete(accountId);
    };
  }
}
