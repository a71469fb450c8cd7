import { type Caller, CLOCK, deterministicId, RANDOM, SERVICE_CONFIG } from '@gridbourse/api';
import type { SealedBox, WorkloadSecrets } from '@gridbourse/events';
import {
  type AccountId,
  canonicalJson,
  type Clock,
  DomainError,
  invalid,
  newId,
  type OrderId,
  type Random,
} from '@gridbourse/kernel';
import { seal } from '@gridbourse/sealing';
import { Inject, Injectable } from '@nestjs/common';
import { createHash } from 'node:crypto';
import { submitOrder } from '../../domain/process/tenant.ts';
import type { MatchmakerConfig } from '../../matchmaker.config.ts';
import { OrderReader } from '../../read-models/order-reader.ts';
import { Matchmaker } from '../../writer/matchmaker.ts';
import type { OrderRequest } from './order-request.ts';
import { readRequest } from './read-manifest.ts';

/** Takes an order: reads its manifest, seals its secrets, and hands it to the matchmaker. */
@Injectable()
export class SubmitOrderService {
  constructor(
    private readonly matchmaker: Matchmaker,
    private readonly reader: OrderReader,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(RANDOM) private readonly random: Random,
    @Inject(SERVICE_CONFIG) private readonly config: MatchmakerConfig,
  ) {}

  /**
   * @param idempotencyKey with the same key and request the same order comes back, whatever has become of it since
   * @throws DomainError `invalid_manifest`, `idempotency_key_reused`, `window_…`, `wait_too_long`, the limits of the account
   */
  async submit(caller: Caller, request: OrderRequest, idempotencyKey: string | undefined): Promise<OrderId> {
    const now = this.clock.now();
    const accountId = caller.accountId as AccountId;
    const orderId =
      idempotencyKey === undefined
        ? newId('order', now, this.random)
        : deterministicId('order', accountId, idempotencyKey);
    const requestHash = createHash('sha256').update(canonicalJson(request)).digest('hex');
    if (idempotencyKey !== undefined && (await this.isKnown(orderId, requestHash))) return orderId;
    const { wishes, secrets, warnings } = readRequest(request, this.config);
    const sealed = await this.sealed(orderId, secrets);
    const waitSeconds = this.waitSeconds(request);
    const windowSeconds = this.windowSeconds(request, waitSeconds);
    await this.matchmaker.execute((unit) =>
      submitOrder(unit, {
        orderId,
        accountId,
        tenantWallet: caller.wallet,
        spec: wishes.spec,
        secrets: sealed,
        maxRateMicrosPerHour: wishes.maxRateMicrosPerHour,
        profile: wishes.profile,
        weights: wishes.weights ?? null,
        workloadClass: wishes.workload ?? 'general',
        near: wishes.near,
        includeProviders: [...wishes.includeProviders],
        excludeProviders: [...wishes.excludeProviders],
        expiresAtMs: unit.now + waitSeconds * 1_000,
        ...(windowSeconds === null ? {} : { biddingWindowMs: windowSeconds * 1_000 }),
        warnings: warnings.map(({ code, pointer, message, line, column }) => ({
          code: code.slice(0, 60),
          pointer: pointer.slice(0, 500),
          message: message.slice(0, 1_000),
          line,
          column,
        })),
        requestHash,
      }),
    );
    return orderId;
  }

  private async isKnown(orderId: OrderId, requestHash: string): Promise<boolean> {
    const known = await this.reader.find(orderId);
    if (!known) return false;
    if (known.requestHash !== requestHash) {
      throw new DomainError(
        'invalid',
        'idempotency_key_reused',
        'this idempotency key was used for another order',
      );
    }
    return true;
  }

  /** Tied to the order's id, so that a box cannot be moved to another order. */
  private async sealed(orderId: OrderId, secrets: WorkloadSecrets | null): Promise<SealedBox | null> {
    if (secrets === null) return null;
    return seal(this.config.orchestratorSealingPublicKey.publicKey, JSON.stringify(secrets), orderId);
  }

  /** Null for an order that is matched at once. */
  private windowSeconds({ mode, windowSeconds }: OrderRequest, waitSeconds: number): number | null {
    const { auctionWindowSeconds, minAuctionWindowSeconds, maxAuctionWindowSeconds } = this.config;
    const wrong = (code: string, message: string, expected: string): DomainError =>
      invalid(code, message, [{ pointer: '/windowSeconds', message: expected }]);
    if (mode !== 'auction') {
      if (windowSeconds === undefined) return null;
      throw wrong('window_without_auction', 'only an auction has a window', 'expected none, or mode auction');
    }
    const window = windowSeconds ?? auctionWindowSeconds;
    if (window < minAuctionWindowSeconds || window > maxAuctionWindowSeconds) {
      const bounds = `${minAuctionWindowSeconds} to ${maxAuctionWindowSeconds}`;
      throw wrong('window_out_of_bounds', `an auction takes bids for ${bounds} s`, `expected ${bounds}`);
    }
    if (window >= waitSeconds) {
      throw wrong(
        'window_too_long',
        `the order waits ${waitSeconds} s: its auction must close before that`,
        `expected less than ${waitSeconds}`,
      );
    }
    return window;
  }

  private waitSeconds({ waitSeconds }: OrderRequest): number {
    const { defaultWaitSeconds, maxWaitSeconds } = this.config;
    if ((waitSeconds ?? 0) > maxWaitSeconds) {
      throw invalid('wait_too_long', `an order may wait at most ${maxWaitSeconds} s`, [
        { pointer: '/waitSeconds', message: `expected at most ${maxWaitSeconds}` },
      ]);
    }
    return waitSeconds ?? Math.min(defaultWaitSeconds, maxWaitSeconds);
  }
}
