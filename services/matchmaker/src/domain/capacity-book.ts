import { sharingText } from '@gridbourse/catalog';
import type { OfferGpu, OfferNode, PlacementGroup, ServiceSpec } from '@gridbourse/events';
import { DomainError, type LeaseId, type OfferId, type ProviderId } from '@gridbourse/kernel';
import { type Amounts, DIMENSIONS, leftOf, NOTHING, plus, sum } from './amounts.ts';
import { machinesOf, type Offer } from './market.ts';

/** Which replica of which service sits on which machine of the offer. */
export type Placement = { readonly service: string; readonly replica: number; readonly node: string };

/** A machine of an offer with what is free on it. */
export type NodeFree = Amounts & { readonly name: string };

/** `held` until the chain has locked the money, `committed` from then until proof that nothing runs any more. */
export type Claim = 'held' | 'committed';

export type Taking = {
  readonly leaseId: LeaseId;
  readonly providerId: ProviderId;
  /** Whose terms the lease has. Its machines may be in another offer of the provider by now. */
  readonly offerId: OfferId;
  /** What the `gpus` below count; see `unitOf`. */
  readonly unit: string;
  readonly claim: Claim;
  readonly onNodes: ReadonlyMap<string, Amounts>;
};

export type OfferUsage = {
  declared: Amounts;
  /** By leases on the offer's own terms. */
  held: Amounts;
  committed: Amounts;
  /** What leases on terms of the provider's other offers keep of these machines. */
  elsewhere: Amounts;
  free: Amounts;
};

/** Which part of a GPU is counted: `whole`, `mig:1g.10gb`, `shared:4`. Without GPUs there is nothing to tell apart. */
export const unitOf = (gpu: OfferGpu | null): string => (gpu ? sharingText(gpu.sharing) : 'whole');

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

type Load = { readonly unit: string; readonly amounts: Amounts };

/** What the leases on a machine take of it. */
type Loads = Map<LeaseId, Load>;

/** What is free on an offer of one revision; machines in `stale` have to be derived again. */
type Derived = { readonly offer: Offer; free: readonly NodeFree[]; readonly stale: Set<string> };

const entryOf = <K, V>(index: Map<K, V>, key: K, make: () => V): V => {
  let entry = index.get(key);
  if (entry === undefined) index.set(key, (entry = make()));
  return entry;
};

const takesTheSame = (a: Taking, b: Taking): boolean =>
  a.providerId === b.providerId &&
  a.offerId === b.offerId &&
  a.unit === b.unit &&
  a.onNodes.size === b.onNodes.size &&
  [...a.onNodes].every(([node, amounts]) => {
    const other = b.onNodes.get(node);
    return other !== undefined && DIMENSIONS.every((dimension) => amounts[dimension] === other[dimension]);
  });

/** Units of another kind are cut from the same GPUs, and nobody tells from which: one lease of such keeps them all. */
const gpusUsed = (node: OfferNode, unit: string, load: Load): number =>
  load.unit === unit || load.amounts.gpus === 0 ? load.amounts.gpus : node.gpus;

/**
 * Who takes what of which machine. Free capacity is always derived, declared - committed - held, from the takings on the
 * machine; nothing is counted up and down on the side, so a lost event cannot leave a machine half taken. Only machines
 * whose takings changed are derived again. A machine is one of its provider, whichever offer names it: where it moves to
 * another, the leases on it go with it.
 */
export class CapacityBook {
  private readonly takings = new Map<LeaseId, Taking>();
  private readonly byOffer = new Map<OfferId, Set<LeaseId>>();
  private readonly loads = new Map<ProviderId, Map<string, Loads>>();
  private readonly derived = new Map<OfferId, Derived>();
  /** Offers in `derived`, by provider. */
  private readonly sellers = new Map<ProviderId, Set<OfferId>>();
  private readonly watchers: ((offerId: OfferId) => void)[] = [];

  /** @param watcher told of every offer on whose machines takings changed */
  watch(watcher: (offerId: OfferId) => void): void {
    this.watchers.push(watcher);
  }

  /**
   * Puts a lease's taking, in place of what the same lease had.
   * @throws DomainError `impossible_amounts`, and then nothing has changed
   */
  put(taking: Taking): void {
    const { leaseId, providerId, offerId, unit, onNodes } = taking;
    for (const amounts of onNodes.values()) checked(amounts, `what ${leaseId} takes`);
    const before = this.takings.get(leaseId);
    // A lease that goes from one state to the next keeps its machines: nothing becomes free or taken by that.
    const same = before !== undefined && takesTheSame(before, taking);
    if (!same) this.remove(leaseId);
    this.takings.set(leaseId, taking);
    if (same) return;
    entryOf(this.byOffer, offerId, () => new Set()).add(leaseId);
    const machines = entryOf(this.loads, providerId, () => new Map<string, Loads>());
    for (const [node, amounts] of onNodes) {
      entryOf(machines, node, (): Loads => new Map()).set(leaseId, { unit, amounts });
    }
    this.changed(taking);
  }

  remove(leaseId: LeaseId): void {
    const taking = this.takings.get(leaseId);
    if (!taking) return;
    const { providerId, offerId, onNodes } = taking;
    this.takings.delete(leaseId);
    const ofOffer = this.byOffer.get(offerId);
    ofOffer?.delete(leaseId);
    if (ofOffer?.size === 0) this.byOffer.delete(offerId);
    const machines = this.loads.get(providerId);
    for (const node of onNodes.keys()) {
      const loads = machines?.get(node);
      loads?.delete(leaseId);
      if (loads?.size === 0) machines!.delete(node);
    }
    if (machines?.size === 0) this.loads.delete(providerId);
    this.changed(taking);
  }

  /** Forgets what was derived for an offer that is no longer sold. What its leases take stays. */
  forget(offerId: OfferId): void {
    const known = this.derived.get(offerId);
    if (!known) return;
    this.derived.delete(offerId);
    const { providerId } = known.offer;
    const sold = this.sellers.get(providerId);
    sold?.delete(offerId);
    if (sold?.size === 0) this.sellers.delete(providerId);
  }

  private changed({ providerId, onNodes }: Taking): void {
    for (const offerId of this.sellers.get(providerId) ?? []) {
      const { offer, stale } = this.derived.get(offerId)!;
      const places = machinesOf(offer);
      let touched = false;
      for (const node of onNodes.keys()) {
        if (!places.has(node)) continue;
        stale.add(node);
        touched = true;
      }
      if (touched) for (const watcher of this.watchers) watcher(offerId);
    }
  }

  all(): IterableIterator<Taking> {
    return this.takings.values();
  }

  private takingsOf(offerId: OfferId): Taking[] {
    return [...(this.byOffer.get(offerId) ?? [])].map((leaseId) => this.takings.get(leaseId)!);
  }

  private freeOn({ offerId, providerId }: Offer, unit: string, node: OfferNode): NodeFree {
    const loads = this.loads.get(providerId)?.get(node.name);
    if (!loads) return node;
    const all = [...loads.values()].map((load) => ({ ...load.amounts, gpus: gpusUsed(node, unit, load) }));
    const used = checked(sum(all), `what is used of ${node.name} of ${offerId}`);
    return { ...leftOf(node, used), name: node.name };
  }

  /**
   * What is free on each machine, in the offer's order. A provider may shrink an offer under running leases; then
   * nothing is free there, and never less than nothing.
   * @throws DomainError `impossible_amounts` when what is used does not add up to a number that counts exactly
   */
  free(offer: Offer): readonly NodeFree[] {
    const { offerId, providerId, gpu, nodes } = offer;
    const known = this.derived.get(offerId);
    // Machines of one name cannot be told apart by it: then all are derived again.
    const oneName = known !== undefined && machinesOf(offer).size < nodes.length;
    if (known?.offer !== offer || (oneName && known.stale.size > 0)) {
      const unit = unitOf(gpu);
      const free = nodes.map((node) => this.freeOn(offer, unit, node));
      this.derived.set(offerId, { offer, free, stale: new Set() });
      if (!known) entryOf(this.sellers, providerId, () => new Set()).add(offerId);
      return free;
    }
    if (known.stale.size === 0) return known.free;
    const unit = unitOf(gpu);
    const places = machinesOf(offer);
    const free = [...known.free];
    for (const name of known.stale) {
      const at = places.get(name)!;
      free[at] = this.freeOn(offer, unit, nodes[at]!);
    }
    known.free = free;
    known.stale.clear();
    return free;
  }

  /** What becomes of all that the offer declares: of its machines, those that it names now. */
  usage(offer: Offer): OfferUsage {
    const places = machinesOf(offer);
    const own = { held: NOTHING, committed: NOTHING };
    const left: Amounts[] = [...offer.nodes];
    for (const { claim, onNodes } of this.takingsOf(offer.offerId)) {
      for (const [node, amounts] of onNodes) {
        const at = places.get(node);
        if (at === undefined) continue;
        own[claim] = plus(own[claim], amounts);
        left[at] = leftOf(left[at]!, amounts);
      }
    }
    const free = this.free(offer);
    const elsewhere = sum(left.map((amounts, at) => leftOf(amounts, free[at]!)));
    return { declared: sum(offer.nodes), ...own, elsewhere, free: sum(free) };
  }
}
