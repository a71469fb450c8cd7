import type { OfferNode, PlacementGroup, ServiceSpec } from '@gridbourse/events';
import { DomainError, type LeaseId, type OfferId } from '@gridbourse/kernel';
import { type Amounts, DIMENSIONS, leftOf, NOTHING, plus, sum } from './amounts.ts';
import type { Offer } from './market.ts';

/** Which replica of which service sits on which machine of the offer. */
export type Placement = { readonly service: string; readonly replica: number; readonly node: string };

/** A machine of an offer with what is free on it. */
export type NodeFree = Amounts & { readonly name: string };

/** `held` until the chain has locked the money, `committed` from then until proof that nothing runs any more. */
export type Claim = 'held' | 'committed';

export type Taking = {
  readonly leaseId: LeaseId;
  readonly offerId: OfferId;
  readonly claim: Claim;
  readonly onNodes: ReadonlyMap<string, Amounts>;
};

export type OfferUsage = { declared: Amounts; held: Amounts; committed: Amounts; free: Amounts };

/** What one replica of a service takes. Volumes in memory count against the memory that it already asks for. */
export const replicaAmounts = ({ resources }: ServiceSpec): Amounts => ({
  gpus: resources.gpu?.count ?? 0,
  cpuMillis: resources.cpuMillis,
  memoryMiB: resources.memoryMiB,
  storageMiB: resources.volumes.reduce(
    (total, volume) => total + (volume.kind === 'ram' ? 0 : volume.sizeMiB),
    0,
  ),
});

export const groupAmounts = (group: PlacementGroup): Amounts =>
  sum(group.services.flatMap((service) => Array<Amounts>(service.replicas).fill(replicaAmounts(service))));

/** @throws DomainError `unknown_service` when a placement names a service that the group does not have. */
export const amountsByNode = (
  group: PlacementGroup,
  placements: readonly Placement[],
): ReadonlyMap<string, Amounts> => {
  const needs = new Map(group.services.map((service) => [service.name, replicaAmounts(service)]));
  const byNode = new Map<string, Amounts>();
  for (const { service, node } of placements) {
    const need = needs.get(service);
    if (!need)
      throw new DomainError('internal', 'unknown_service', `no service ${service} in group ${group.name}`);
    byNode.set(node, plus(byNode.get(node) ?? NOTHING, need));
  }
  return byNode;
};

const isAmount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

/** @throws DomainError `impossible_amounts`: a sum that is no whole number that counts exactly. */
const checked = (amounts: Amounts, what: string): Amounts => {
  if (DIMENSIONS.every((dimension) => isAmount(amounts[dimension]))) return amounts;
  throw new DomainError('internal', 'impossible_amounts', `${what}: ${JSON.stringify(amounts)}`);
};

/** What the leases on one offer take, by lease and by machine. */
type OfferTakings = {
  readonly byLease: Map<LeaseId, Taking>;
  readonly byNode: Map<string, Map<LeaseId, Amounts>>;
};

/** What is free on an offer of one revision; machines in `stale` have to be derived again. */
type Derived = { readonly offer: Offer; free: readonly NodeFree[]; readonly stale: Set<string> };

const positionsOf = (offer: Offer): ReadonlyMap<string, number> =>
  new Map(offer.nodes.map((node, at) => [node.name, at]));

/**
 * Who takes what of which machine. Free capacity is always derived, declared - committed - held, from the takings on the
 * machine; nothing is counted up and down on the side, so a lost event cannot leave a machine half taken. Only machines
 * whose takings changed are derived again.
 */
export class CapacityBook {
  private readonly takings = new Map<OfferId, OfferTakings>();
  private readonly derived = new Map<OfferId, Derived>();
  private readonly positions = new WeakMap<Offer, ReadonlyMap<string, number>>();
  private readonly watchers: ((offerId: OfferId) => void)[] = [];

  /** @param watcher told of every offer whose takings changed */
  watch(watcher: (offerId: OfferId) => void): void {
    this.watchers.push(watcher);
  }

  /**
   * Puts a lease's taking, in place of what the same lease had.
   * @throws DomainError `impossible_amounts`, and then nothing has changed
   */
  put(taking: Taking): void {
    for (const amounts of taking.onNodes.values()) checked(amounts, `what ${taking.leaseId} takes`);
    this.remove(taking.offerId, taking.leaseId);
    let of = this.takings.get(taking.offerId);
    if (!of) this.takings.set(taking.offerId, (of = { byLease: new Map(), byNode: new Map() }));
    of.byLease.set(taking.leaseId, taking);
    for (const [node, amounts] of taking.onNodes) {
      const onNode = of.byNode.get(node);
      if (onNode) onNode.set(taking.leaseId, amounts);
      else of.byNode.set(node, new Map([[taking.leaseId, amounts]]));
    }
    this.changed(taking);
  }

  remove(offerId: OfferId, leaseId: LeaseId): void {
    const of = this.takings.get(offerId);
    const taking = of?.byLease.get(leaseId);
    if (!of || !taking) return;
    of.byLease.delete(leaseId);
    for (const node of taking.onNodes.keys()) {
      const onNode = of.byNode.get(node);
      onNode?.delete(leaseId);
      if (onNode?.size === 0) of.byNode.delete(node);
    }
    if (of.byLease.size === 0) this.takings.delete(offerId);
    this.changed(taking);
  }

  private changed({ offerId, onNodes }: Taking): void {
    const derived = this.derived.get(offerId);
    if (derived) for (const node of onNodes.keys()) derived.stale.add(node);
    for (const watcher of this.watchers) watcher(offerId);
  }

  takingsOf(offerId: OfferId): readonly Taking[] {
    return [...(this.takings.get(offerId)?.byLease.values() ?? [])];
  }

  private freeOn(offerId: OfferId, node: OfferNode): NodeFree {
    const takings = this.takings.get(offerId)?.byNode.get(node.name);
    if (!takings) return node;
    const used = checked(sum(takings.values()), `what is used of ${node.name} of ${offerId}`);
    return { ...leftOf(node, used), name: node.name };
  }

  private positionsOf(offer: Offer): ReadonlyMap<string, number> {
    let positions = this.positions.get(offer);
    if (!positions) this.positions.set(offer, (positions = positionsOf(offer)));
    return positions;
  }

  /**
   * What is free on each machine, in the offer's order. A provider may shrink an offer under running leases; then
   * nothing is free there, and never less than nothing.
   * @throws DomainError `impossible_amounts` when what is used does not add up to a number that counts exactly
   */
  free(offer: Offer): readonly NodeFree[] {
    const { offerId, nodes } = offer;
    const known = this.derived.get(offerId);
    // Machines of one name cannot be told apart by it: then all are derived again.
    const oneName = known !== undefined && this.positionsOf(offer).size < nodes.length;
    if (known?.offer !== offer || (oneName && known.stale.size > 0)) {
      const free = nodes.map((node) => this.freeOn(offerId, node));
      this.derived.set(offerId, { offer, free, stale: new Set() });
      return free;
    }
    if (known.stale.size === 0) return known.free;
    const positions = this.positionsOf(offer);
    const free = [...known.free];
    for (const name of known.stale) {
      const at = positions.get(name);
      // A lease may sit on a machine that this revision does not have any more.
      if (at !== undefined) free[at] = this.freeOn(offerId, nodes[at]!);
    }
    known.free = free;
    known.stale.clear();
    return free;
  }

  usage(offer: Offer): OfferUsage {
    const of = (claim: Claim): Amounts =>
      sum(
        this.takingsOf(offer.offerId)
          .filter((taking) => taking.claim === claim)
          .flatMap((taking) => [...taking.onNodes.values()]),
      );
    return {
      declared: sum(offer.nodes),
      held: of('held'),
      committed: of('committed'),
      free: sum(this.free(offer)),
    };
  }
}
