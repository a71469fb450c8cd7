import type { AccountId, Instant, LeaseId, Micros, OrderId, ProviderId } from '@gridbourse/kernel';
import { amountsByNode, CapacityBook, type Claim, unitOf } from '../capacity-book.ts';
import { deadlineOf, isOver, type Lease } from '../lease.ts';
import { Market, type Offer, type Provider } from '../market.ts';
import { indexedViewOf, type MarketView } from '../matching.ts';
import { isBidding, isEnded, isWaiting, type Order } from '../order.ts';
import { AccountBurdens, type Burden } from './account-burdens.ts';
import { DeadlineQueue } from './deadline-queue.ts';

/** What billing last said of a tenant's free money. */
export type EscrowBalance = { readonly freeMicros: Micros; readonly atMs: Instant };

/** An offer with who makes it. */
export type Selling = { readonly offer: Offer; readonly provider: Provider };

const add = <K, V>(index: Map<K, Set<V>>, key: K, value: V): void => {
  let set = index.get(key);
  if (!set) index.set(key, (set = new Set()));
  set.add(value);
};

const drop = <K, V>(index: Map<K, Set<V>>, key: K, value: V): void => {
  const set = index.get(key);
  set?.delete(value);
  if (set?.size === 0) index.delete(key);
};

const claimOf = ({ state }: Lease): Claim =>
  state === 'proposed' || state === 'accepted' ? 'held' : 'committed';

/**
 * Everything the matchmaker decides by, in memory: the market, the orders and leases that are not over yet, and who
 * holds which machine. It changes only through `put…` and `market.apply`, and the same events give the same exchange.
 * Orders whose end and clean-up are complete leave it: they are history, and history is in the database.
 */
export class Exchange {
  readonly market = new Market();
  readonly book = new CapacityBook();
  readonly view: MarketView = indexedViewOf(this.market, this.book);
  /** Capacity has appeared since the waiting orders were last tried. */
  rematchWanted = true;
  /** Waiting orders that are still to be tried in the present round, in fair order. */
  rematchQueue: readonly OrderId[] = [];

  private readonly ordersById = new Map<OrderId, Order>();
  private readonly leasesById = new Map<LeaseId, Lease>();
  private readonly waiting = new Set<OrderId>();
  private readonly bidding = new Set<OrderId>();
  private readonly leaseDeadlines = new DeadlineQueue<LeaseId>();
  private readonly burdens = new AccountBurdens();
  private readonly ordersByAccount = new Map<AccountId, Set<OrderId>>();
  private readonly leasesByOrder = new Map<OrderId, Set<LeaseId>>();
  private readonly leasesByProvider = new Map<ProviderId, Set<LeaseId>>();
  private readonly leasesByReference = new Map<string, LeaseId>();
  private readonly references = new Map<LeaseId, string>();
  /**
   * Leases whose reference nobody has asked for, oldest first. It is a hash that takes a while: worked out once for each
   * lease, when the chain first tells of it or of a younger one. A lease that lapses before costs none.
   */
  private readonly unreferred = new Set<LeaseId>();
  private readonly leasesByChainKey = new Map<string, LeaseId>();
  private readonly balances = new Map<AccountId, EscrowBalance>();
  /** Derived from the market, thrown away whenever that changes. */
  private sellers: ReadonlyMap<AccountId, readonly Selling[]> | null = null;

  /** @param referenceOf the chain's name of a lease: keccak-256 of its id */
  constructor(private readonly referenceOf: (leaseId: LeaseId) => string) {
    this.market.watch({
      provider: () => undefined,
      offer: (id) => {
        if (this.market.offer(id)?.withdrawn !== false) this.book.forget(id);
      },
    });
  }

  get rematchPending(): boolean {
    return this.rematchWanted || this.rematchQueue.length > 0;
  }

  order(id: OrderId): Order | undefined {
    return this.ordersById.get(id);
  }

  lease(id: LeaseId): Lease | undefined {
    return this.leasesById.get(id);
  }

  orders(): IterableIterator<Order> {
    return this.ordersById.values();
  }

  leases(): IterableIterator<Lease> {
    return this.leasesById.values();
  }

  /** Orders in the book, in no order. */
  waitingOrders(): Order[] {
    return [...this.waiting].map((id) => this.ordersById.get(id)!);
  }

  /** Orders whose bids are not judged yet, in no order. */
  biddingOrders(): Order[] {
    return [...this.bidding].map((id) => this.ordersById.get(id)!);
  }

  ordersOf(accountId: AccountId): Order[] {
    return [...(this.ordersByAccount.get(accountId) ?? [])].map((id) => this.ordersById.get(id)!);
  }

  /** Every lease that the order ever had, those of earlier matches too, oldest first. */
  leasesOf(orderId: OrderId): Lease[] {
    return [...(this.leasesByOrder.get(orderId) ?? [])].map((id) => this.leasesById.get(id)!);
  }

  leasesAt(providerId: ProviderId): Lease[] {
    return [...(this.leasesByProvider.get(providerId) ?? [])].map((id) => this.leasesById.get(id)!);
  }

  /** Whether the time of a lease was over before this; see `deadlineOf`. */
  anyLeaseDue(before: Instant): boolean {
    return this.leaseDeadlines.anyBefore(before);
  }

  /** Leases whose time was over before this, the earliest first, at most so many. */
  dueLeases(before: Instant, atMost: number): LeaseId[] {
    return this.leaseDeadlines.before(before, atMost);
  }

  leaseByReference(reference: string): Lease | undefined {
    for (const leaseId of this.unreferred) {
      if (this.leasesByReference.has(reference)) break;
      this.refer(leaseId);
    }
    const id = this.leasesByReference.get(reference);
    return id === undefined ? undefined : this.leasesById.get(id);
  }

  /** The lease that the chain has opened under this key. */
  leaseByChainKey(chainLeaseKey: string): Lease | undefined {
    const id = this.leasesByChainKey.get(chainLeaseKey);
    return id === undefined ? undefined : this.leasesById.get(id);
  }

  /** Offers that an account has on sale. The first question after a change of the market looks at all of them. */
  sellingOf(accountId: AccountId): readonly Selling[] {
    this.sellers ??= this.groupSellers();
    return this.sellers.get(accountId) ?? [];
  }

  private groupSellers(): ReadonlyMap<AccountId, readonly Selling[]> {
    const all = new Map<AccountId, Selling[]>();
    for (const offer of this.market.offers()) {
      const provider = this.market.provider(offer.providerId);
      if (!provider) continue;
      const own = all.get(provider.accountId);
      if (own) own.push({ offer, provider });
      else all.set(provider.accountId, [{ offer, provider }]);
    }
    return all;
  }

  /** To be told after every change of the market, and after undoing one. */
  marketChanged(): void {
    this.sellers = null;
  }

  balance(accountId: AccountId): EscrowBalance | undefined {
    return this.balances.get(accountId);
  }

  putBalance(accountId: AccountId, balance: EscrowBalance | undefined): void {
    if (balance) this.balances.set(accountId, balance);
    else this.balances.delete(accountId);
  }

  /** What an account has in the book, without looking at each of its orders. */
  burdenOf(accountId: AccountId): Burden {
    return this.burdens.of(accountId);
  }

  /** Puts an order in place of what was known of it. */
  putOrder(order: Order): void {
    const before = this.ordersById.get(order.orderId);
    this.burdens.orderBecomes(before, order);
    this.ordersById.set(order.orderId, order);
    if (!before) add(this.ordersByAccount, order.accountId, order.orderId);
    if (isWaiting(order)) this.waiting.add(order.orderId);
    else this.waiting.delete(order.orderId);
    if (isBidding(order)) this.bidding.add(order.orderId);
    else this.bidding.delete(order.orderId);
  }

  forgetOrder(order: Order): void {
    this.burdens.orderBecomes(this.ordersById.get(order.orderId), undefined);
    this.ordersById.delete(order.orderId);
    this.waiting.delete(order.orderId);
    this.bidding.delete(order.orderId);
    drop(this.ordersByAccount, order.accountId, order.orderId);
  }

  /** Puts a lease in place of what was known of it; what it takes of its offer follows from its state. */
  putLease(lease: Lease): void {
    const { leaseId } = lease;
    const before = this.leasesById.get(leaseId);
    this.burdens.leaseBecomes(before, lease);
    this.forgetChainKey(before);
    if (lease.chainLeaseKey !== null) this.leasesByChainKey.set(lease.chainLeaseKey, leaseId);
    this.leasesById.set(leaseId, lease);
    this.leaseDeadlines.set(leaseId, deadlineOf(lease));
    if (!before) {
      add(this.leasesByOrder, lease.orderId, leaseId);
      add(this.leasesByProvider, lease.providerId, leaseId);
      this.unreferred.add(leaseId);
    }
    this.takeCapacity(lease);
  }

  private takeCapacity(lease: Lease): void {
    const { leaseId, providerId, offerId } = lease;
    if (lease.capacityReleased) {
      this.book.remove(leaseId);
      return;
    }
    const onNodes = amountsByNode(lease.group, lease.placements);
    this.book.put({ leaseId, providerId, offerId, unit: unitOf(lease.gpu), claim: claimOf(lease), onNodes });
  }

  forgetLease(lease: Lease): void {
    const { leaseId, orderId, providerId } = lease;
    const before = this.leasesById.get(leaseId);
    this.burdens.leaseBecomes(before, undefined);
    this.forgetChainKey(before);
    this.leasesById.delete(leaseId);
    this.leaseDeadlines.set(leaseId, null);
    drop(this.leasesByOrder, orderId, leaseId);
    drop(this.leasesByProvider, providerId, leaseId);
    this.unreferred.delete(leaseId);
    const reference = this.references.get(leaseId);
    if (reference !== undefined) this.leasesByReference.delete(reference);
    this.references.delete(leaseId);
    this.book.remove(leaseId);
  }

  private refer(leaseId: LeaseId): void {
    const reference = this.referenceOf(leaseId);
    this.unreferred.delete(leaseId);
    this.references.set(leaseId, reference);
    this.leasesByReference.set(reference, leaseId);
  }

  private forgetChainKey(lease: Lease | undefined): void {
    if (lease && lease.chainLeaseKey !== null) this.leasesByChainKey.delete(lease.chainLeaseKey);
  }

  /** An order that has ended, with every lease over, leaves with them. */
  retire(orderId: OrderId): boolean {
    const order = this.ordersById.get(orderId);
    if (!order || !isEnded(order.state)) return false;
    const leases = this.leasesOf(orderId);
    if (!leases.every(isOver)) return false;
    for (const lease of leases) this.forgetLease(lease);
    this.forgetOrder(order);
    return true;
  }
}
