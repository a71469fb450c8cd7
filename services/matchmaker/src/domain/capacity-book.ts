import type { PlacementGroup, ServiceSpec } from '@gridbourse/events';
import { DomainError, type LeaseId, type OfferId } from '@gridbourse/kernel';
import { type Amounts, leftOf, NOTHING, plus, sum } from './amounts.ts';
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

/**
 * Who takes what of which machine. Free capacity is always derived, declared - committed - held; nothing is counted
 * up and down on the side, so a lost event cannot leave a machine half taken.
 */
export class CapacityBook {
  private readonly takings = new Map<OfferId, Map<LeaseId, Taking>>();
  /** Derived, thrown away whenever a taking of the offer changes, and good for one revision of the offer only. */
  private readonly freeCache = new Map<
    OfferId,
    { readonly offer: Offer; readonly free: readonly NodeFree[] }
  >();

  /** Puts a lease's taking, in place of what the same lease had. */
  put(taking: Taking): void {
    let ofOffer = this.takings.get(taking.offerId);
    if (!ofOffer) this.takings.set(taking.offerId, (ofOffer = new Map<LeaseId, Taking>()));
    ofOffer.set(taking.leaseId, taking);
    this.freeCache.delete(taking.offerId);
  }

  remove(offerId: OfferId, leaseId: LeaseId): void {
    const ofOffer = this.takings.get(offerId);
    if (!ofOffer?.delete(leaseId)) return;
    if (ofOffer.size === 0) this.takings.delete(offerId);
    this.freeCache.delete(offerId);
  }

  takingsOf(offerId: OfferId): readonly Taking[] {
    return [...(this.takings.get(offerId)?.values() ?? [])];
  }

  private used(offerId: OfferId): ReadonlyMap<string, Amounts> {
    const used = new Map<string, Amounts>();
    for (const taking of this.takings.get(offerId)?.values() ?? []) {
      for (const [node, amounts] of taking.onNodes) used.set(node, plus(used.get(node) ?? NOTHING, amounts));
    }
    return used;
  }

  /**
   * What is free on each machine, in the offer's order. A provider may shrink an offer under running leases; then
   * nothing is free there, and never less than nothing.
   */
  free(offer: Offer): readonly NodeFree[] {
    const cached = this.freeCache.get(offer.offerId);
    if (cached?.offer === offer) return cached.free;
    const used = this.used(offer.offerId);
    const free = offer.nodes.map((node) => ({
      ...leftOf(node, used.get(node.name) ?? NOTHING),
      name: node.name,
    }));
    this.freeCache.set(offer.offerId, { offer, free });
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
