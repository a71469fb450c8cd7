import { maxMicros, type Micros, type OfferId, type ProviderId } from '@gridbourse/kernel';
import { type Candidate, type CandidateSource, type Offers, scanOf } from './candidates.ts';
import type { CapacityBook, Placement } from './capacity-book.ts';
import { listRateMicrosPerHour } from './catalogue.ts';
import type { Market, Offer } from './market.ts';
import { OfferBook } from './offer-book/offer-book.ts';
import { type Packed, pack, type Pod } from './packing.ts';
import { type GroupNeed, groupNeeds, type MatchRequest, type PodTag } from './requirements.ts';
import type { ScoreTerms } from './scoring.ts';
import { MarketSurvey } from './survey/market-survey.ts';
import type { Survey } from './survey/survey.ts';

export type { Candidate } from './candidates.ts';

/** The offers that matching may look at, with what is free on each. */
export type MarketView = Offers & {
  /** Finds what fits without looking at every offer; without it, matching looks at every one. */
  readonly source?: CandidateSource;
  /** The same for `emptied`. */
  readonly emptiedSource?: CandidateSource;
  /** Tells what fails without asking every offer; without it, an explanation asks every one. */
  readonly survey?: Survey;
};

const offersOf = (market: Market, book: CapacityBook): Offers => ({
  *offers() {
    for (const offer of market.offers()) {
      const provider = market.provider(offer.providerId);
      if (provider) yield { offer, provider };
    }
  },
  free: (offer) => book.free(offer),
});

/** A view that looks at every offer. */
export const viewOf = (market: Market, book: CapacityBook): MarketView => offersOf(market, book);

/** A view over columns and boxes that follow the market and the book from now on. Finds what `viewOf` finds. */
export const indexedViewOf = (market: Market, book: CapacityBook): MarketView => {
  const source = new OfferBook(market, book);
  const survey = new MarketSurvey(market, book);
  return { ...offersOf(market, book), source, emptiedSource: source.emptied, survey };
};

/** The same market with nobody in it: what would fit if every lease had ended. */
export const emptied = ({ offers, emptiedSource }: MarketView): MarketView => ({
  offers,
  free: (offer) => offer.nodes,
  ...(emptiedSource && { source: emptiedSource, emptiedSource }),
});

/** Where candidates for orders come from: the view's own source, or a look at every offer. */
export const sourceOf = (view: MarketView): CandidateSource => view.source ?? scanOf(view);

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

/**
 * Offers that fit the group now, best first: by score, then by fit, then by a lot drawn from the order's id. They are found
 * as they are asked for.
 */
export const candidatesOf = (request: MatchRequest, need: GroupNeed, view: MarketView): Iterable<Candidate> =>
  sourceOf(view).candidates(request, need);

/** As `candidatesOf`, at most so many. */
export const rankCandidates = (
  request: MatchRequest,
  need: GroupNeed,
  view: MarketView,
  atMost = Infinity,
): Candidate[] => {
  const best: Candidate[] = [];
  if (atMost <= 0) return best;
  for (const candidate of candidatesOf(request, need, view)) {
    best.push(candidate);
    if (best.length >= atMost) break;
  }
  return best;
};

/** Lowest rate of an offer that fits the group now, micro-USDC per hour; null when none does. */
export const cheapestRate = (request: MatchRequest, need: GroupNeed, view: MarketView): Micros | null =>
  sourceOf(view).cheapest(request, need);

/** Candidates that are found as they are asked for, and remembered. */
class Shortlist {
  private readonly seen: Candidate[] = [];
  private readonly rest: Iterator<Candidate>;

  constructor(candidates: Iterable<Candidate>) {
    this.rest = candidates[Symbol.iterator]();
  }

  at(index: number): Candidate | undefined {
    while (this.seen.length <= index) {
      const next = this.rest.next();
      if (next.done) return undefined;
      this.seen.push(next.value);
    }
    return this.seen[index];
  }
}

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

/** An offer for each group, groups with the most GPUs first, and for each group where else it could have gone. */
type Choice = { readonly chosen: readonly Chosen[]; readonly shortlists: readonly Shortlist[] };

const choose = (request: MatchRequest, view: MarketView): Choice | null => {
  const needs = groupNeeds(request).sort((a, b) => b.total.gpus - a.total.gpus);
  const source = sourceOf(view);
  const shortlists: Shortlist[] = [];
  for (const need of needs) {
    const shortlist = new Shortlist(source.candidates(request, need));
    if (!shortlist.at(0)) return null;
    shortlists.push(shortlist);
  }
  const chosen: Chosen[] = [];
  let steps = 0;
  const chooseFrom = (at: number, spent: Micros): boolean => {
    if (at === needs.length) return true;
    const shortlist = shortlists[at]!;
    for (let i = 0, candidate = shortlist.at(i); candidate; candidate = shortlist.at((i += 1))) {
      const { offer } = candidate;
      steps += 1;
      if (steps > MAX_GANG_STEPS) return false;
      const total = spent + candidate.rateMicrosPerHour;
      if (total > request.maxRateMicrosPerHour) continue;
      chosen.push({ need: needs[at]!, candidate });
      const shared = chosen.some((other, n) => n < at && other.candidate.offer.offerId === offer.offerId);
      if ((!shared || packOffer(chosen, offer, view)) && chooseFrom(at + 1, total)) return true;
      chosen.pop();
    }
    return false;
  };
  return chooseFrom(0, 0n) ? { chosen, shortlists } : null;
};

const matchOf = (request: MatchRequest, { chosen }: Choice, view: MarketView): Match => {
  const groups = placed(chosen, view).sort(
    (a, b) => groupIndex(request, a.group) - groupIndex(request, b.group),
  );
  return { groups, rateMicrosPerHour: groups.reduce((sum, group) => sum + group.rateMicrosPerHour, 0n) };
};

/**
 * Chooses an offer for every group, all or nothing: the best of each where they do not get in each other's way, else
 * the first combination found, groups with the most GPUs first. Changes nothing.
 * @returns null when no combination fits, or none was found within 2,000 attempts.
 */
export const matchOrder = (request: MatchRequest, view: MarketView): Match | null => {
  const choice = choose(request, view);
  return choice && matchOf(request, choice, view);
};

/** A match, and by the name of its group the best offer that fits as well and is not taken for it. */
export type Contest = { readonly match: Match; readonly runnersUp: ReadonlyMap<string, Candidate> };

/** As `matchOrder`; looks on for who came second, which costs little where the first has been found. */
export const contestOrder = (request: MatchRequest, view: MarketView): Contest | null => {
  const choice = choose(request, view);
  if (!choice) return null;
  const runnersUp = new Map<string, Candidate>();
  choice.chosen.forEach(({ need, candidate }, at) => {
    const shortlist = choice.shortlists[at]!;
    const first = shortlist.at(0)!;
    const runnerUp = first.offer.offerId === candidate.offer.offerId ? shortlist.at(1) : first;
    if (runnerUp) runnersUp.set(need.group.name, runnerUp);
  });
  return { match: matchOf(request, choice, view), runnersUp };
};

const groupIndex = (request: MatchRequest, name: string): number =>
  request.spec.groups.findIndex((group) => group.name === name);

/** The most a matched order can cost, for showing. */
export const listRateOf = (match: Match): Micros | null =>
  match.groups.some((group) => group.listRateMicrosPerHour !== null)
    ? match.groups.reduce((sum, group) => sum + maxMicros(0n, group.listRateMicrosPerHour ?? 0n), 0n)
    : null;
