import type { AccountId, Micros } from '@gridbourse/kernel';
import { isAlive, type Lease } from '../lease.ts';
import { isEnded, type Order } from '../order.ts';

/** What an account has in the book. */
export type Burden = {
  /** Not ended. */
  readonly openOrders: number;
  readonly aliveLeases: number;
  /** Locks that are promised and not on chain yet. */
  readonly pendingLockMicros: Micros;
};

const NONE: Burden = { openOrders: 0, aliveLeases: 0, pendingLockMicros: 0n };

const AN_ORDER: Burden = { ...NONE, openOrders: 1 };

const ofOrder = (order: Order | undefined): Burden => (order && !isEnded(order.state) ? AN_ORDER : NONE);

const ofLease = (lease: Lease | undefined): Burden => {
  if (!lease || !isAlive(lease)) return NONE;
  const promised = lease.state === 'proposed' || lease.state === 'accepted';
  return { openOrders: 0, aliveLeases: 1, pendingLockMicros: promised ? lease.lockMicros : 0n };
};

const isSame = (a: Burden, b: Burden): boolean =>
  a === b ||
  (a.openOrders === b.openOrders &&
    a.aliveLeases === b.aliveLeases &&
    a.pendingLockMicros === b.pendingLockMicros);

/**
 * Counts along as orders and leases come, change and go: every order asks for the sums of its account, which may have
 * thousands of others.
 */
export class AccountBurdens {
  private readonly burdens = new Map<AccountId, Burden>();

  of(accountId: AccountId): Burden {
    return this.burdens.get(accountId) ?? NONE;
  }

  /** Undefined: it was not there, or is no longer. */
  orderBecomes(before: Order | undefined, after: Order | undefined): void {
    const accountId = (after ?? before)?.accountId;
    if (accountId !== undefined) this.move(accountId, ofOrder(before), ofOrder(after));
  }

  leaseBecomes(before: Lease | undefined, after: Lease | undefined): void {
    const accountId = (after ?? before)?.accountId;
    if (accountId !== undefined) this.move(accountId, ofLease(before), ofLease(after));
  }

  private move(accountId: AccountId, less: Burden, more: Burden): void {
    if (isSame(less, more)) return;
    const now = this.of(accountId);
    const burden = {
      openOrders: now.openOrders - less.openOrders + more.openOrders,
      aliveLeases: now.aliveLeases - less.aliveLeases + more.aliveLeases,
      pendingLockMicros: now.pendingLockMicros - less.pendingLockMicros + more.pendingLockMicros,
    };
    if (burden.openOrders === 0 && burden.aliveLeases === 0) this.burdens.delete(accountId);
    else this.burdens.set(accountId, burden);
  }
}
