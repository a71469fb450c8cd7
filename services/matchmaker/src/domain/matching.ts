import type { OfferId, ProviderId } from '@gridbourse/kernel';
import { maxMicros, type Micros, minMicros, nextInt, seededRandom } from '@gridbourse/kernel';
import type { CapacityBook, NodeFree, Placement } from './capacity-book.ts';
import { listRateMicrosPerHour } from './catalogue.ts';
import { type Fit, fitOf, type Subject } from './constraints.ts';
import type { Market, Offer, Provider } from './market.ts';
import { type Packed, pack, type Pod } from './packing.ts';
import { type GroupNeed, groupNeeds, type MatchRequest, type PodTag } from './requirements.ts';
import { type Field, scoreOf, scoreTerms, type ScoreTerms, throughputOf } from './scoring.ts';

/** The offers that matching may look at, with what is free on each. */
export type MarketView = {
  readonly offers: () => Iterable<{ readonly offer: Offer; readonly provider: Provider }>;
  readonly free: (offer: Offer) => readonly NodeFree[];
};

export const viewOf = (market: Market, book: CapacityBook): MarketView => ({
  *offers() {
    for (const offer of market.offers()) {
      const provider = market.provider(offer.providerId);
      if (provider) yield { offer, provider };
    }
  },
  free: (offer) => book.free(offer),
});

/** The same market with nobody in it: what would fit if every lease had ended. */
export const emptied = (view: MarketView): MarketView => ({
  offers: view.offers,
  free: (offer) => offer.nodes,
});

export type Candidate = {
  readonly offer: Offer;
  readonly provider: Provider;
  readonly rateMicrosPerHour: Micros;
  readonly terms: ScoreTerms;
  readonly score: number;
};

export type GroupMatch = {
  readonly group: string;
  readonly offerId: OfferId;
  readonly providerId: ProviderId;
  readonly rateMicrosPerHour: Micros;
  readonly listRateMicrosPerHour: Micros | null;
  readonly placements: readonly Placement[];
  readonly score: number;
  readonly terms: ScoreTerms;
};

export type Match = { readonly groups: readonly GroupMatch[]; readonly rateMicrosPerHour: Micros };

/** Most combinations of offers that are tried for a gang. */
const MAX_GANG_STEPS = 2_000;

/** FNV-1a: spreads an id over 32 bits, to seed the breaking of its ties. */
const seedOf = (text: string): number => {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
};

/** Every offer that fits the group now, best first: by score, then by fit, then by a lot drawn from the order's id. */
export const rankCandidates = (request: MatchRequest, need: GroupNeed, view: MarketView): Candidate[] => {
  const fitting: { subject: Subject; found: Fit }[] = [];
  for (const { offer, provider } of view.offers()) {
    const subject = { need, offer, provider, free: view.free(offer) };
    const found = fitOf(subject);
    if (found) fitting.push({ subject, found });
  }
  if (fitting.length === 0) return [];
  const field = fitting.reduce<Field>(
    (best, { subject, found }) => ({
      cheapest: minMicros(best.cheapest, found.rateMicrosPerHour),
      fastest: Math.max(best.fastest, throughputOf(subject)),
    }),
    { cheapest: fitting[0]!.found.rateMicrosPerHour, fastest: 0 },
  );
  const random = seededRandom(seedOf(`${request.orderId}/${need.group.name}`));
  return fitting
    .sort((a, b) => (a.subject.offer.offerId < b.subject.offer.offerId ? -1 : 1)) // the lots fall alike whatever the order of arrival
    .map(({ subject, found }) => {
      const terms = scoreTerms(subject, found, field);
      const candidate = {
        offer: subject.offer,
        provider: subject.provider,
        rateMicrosPerHour: found.rateMicrosPerHour,
        terms,
        score: scoreOf(terms, request.profile, need.total.gpus),
      };
      return { candidate, lot: nextInt(random, 2 ** 30) };
    })
    .sort(
      (a, b) =>
        b.candidate.score - a.candidate.score ||
        b.candidate.terms.fit - a.candidate.terms.fit ||
        a.lot - b.lot,
    )
    .map(({ candidate }) => candidate);
};

type Chosen = { readonly need: GroupNeed; readonly candidate: Candidate };

/** All pods that the chosen groups put on one offer, packed together: their machines are shared out at once. */
const packOffer = (chosen: readonly Chosen[], offer: Offer, view: MarketView): Packed<PodTag>[] | null => {
  const pods: Pod<PodTag>[] = chosen
    .filter(({ candidate }) => candidate.offer.offerId === offer.offerId)
    .flatMap(({ need }) => need.pods);
  return pack(pods, view.free(offer));
};

const placed = (chosen: readonly Chosen[], view: MarketView): GroupMatch[] => {
  const packedByOffer = new Map<OfferId, Packed<PodTag>[]>();
  return chosen.map(({ need, candidate }) => {
    const { offer } = candidate;
    let packed = packedByOffer.get(offer.offerId);
    if (!packed) packedByOffer.set(offer.offerId, (packed = packOffer(chosen, offer, view)!));
    return {
      group: need.group.name,
      offerId: offer.offerId,
      providerId: offer.providerId,
      rateMicrosPerHour: candidate.rateMicrosPerHour,
      listRateMicrosPerHour: listRateMicrosPerHour(offer.gpu, need.total.gpus),
      placements: packed
        .filter(({ tag }) => tag.group === need.group.name)
        .map(({ tag, node }) => ({ service: tag.service, replica: tag.replica, node })),
      score: candidate.score,
      terms: candidate.terms,
    };
  });
};

/**
 * Chooses an offer for every group, all or nothing: the best of each where they do not get in each other's way, else
 * the first combination found, groups with the most GPUs first. Changes nothing.
 * @returns null when no combination fits, or none was found within 2,000 attempts.
 */
export const matchOrder = (request: MatchRequest, view: MarketView): Match | null => {
  const needs = groupNeeds(request).sort((a, b) => b.total.gpus - a.total.gpus);
  const ranked: Candidate[][] = [];
  for (const need of needs) {
    const candidates = rankCandidates(request, need, view);
    if (candidates.length === 0) return null;
    ranked.push(candidates);
  }
  const chosen: Chosen[] = [];
  let steps = 0;
  const choose = (at: number, spent: Micros): boolean => {
    if (at === needs.length) return true;
    for (const candidate of ranked[at]!) {
      steps += 1;
      if (steps > MAX_GANG_STEPS) return false;
      const total = spent + candidate.rateMicrosPerHour;
      if (total > request.maxRateMicrosPerHour) continue;
      chosen.push({ need: needs[at]!, candidate });
      const shared = chosen.some(
        (other, i) => i < at && other.candidate.offer.offerId === candidate.offer.offerId,
      );
      if ((!shared || packOffer(chosen, candidate.offer, view)) && choose(at + 1, total)) return true;
      chosen.pop();
    }
    return false;
  };
  if (!choose(0, 0n)) return null;
  const groups = placed(chosen, view).sort(
    (a, b) => groupIndex(request, a.group) - groupIndex(request, b.group),
  );
  return { groups, rateMicrosPerHour: groups.reduce((sum, group) => sum + group.rateMicrosPerHour, 0n) };
};

const groupIndex = (request: MatchRequest, name: string): number =>
  request.spec.groups.findIndex((group) => group.name === name);

/** The most a matched order can cost, for showing. */
export const listRateOf = (match: Match): Micros | null =>
  match.groups.some((group) => group.listRateMicrosPerHour !== null)
    ? match.groups.reduce((sum, group) => sum + maxMicros(0n, group.listRateMicrosPerHour ?? 0n), 0n)
    : null;
