import { type Micros, minMicros, type OfferId } from '@gridbourse/kernel';
import type { NodeFree } from './capacity-book.ts';
import { type Fit, fitOf } from './constraints.ts';
import type { Offer, Provider } from './market.ts';
import { hashOf, stirred } from './offer-book/words.ts';
import type { GroupNeed, MatchRequest } from './requirements.ts';
import {
  type Field,
  type Known,
  scoreOf,
  scoreTerms,
  type ScoreTerms,
  throughputOf,
  type Weights,
  weightsOf,
} from './scoring.ts';

export type Candidate = {
  readonly offer: Offer;
  readonly provider: Provider;
  readonly rateMicrosPerHour: Micros;
  readonly terms: ScoreTerms;
  readonly score: number;
};

/** Offers that fit a group now, found in whatever way; all ways find the same. */
export type CandidateSource = {
  /** Best first: by score, then by fit, then by a lot drawn from the order's id. Takes no more trouble than is asked for. */
  readonly candidates: (request: MatchRequest, need: GroupNeed) => Iterable<Candidate>;
  /** Lowest rate of an offer that fits; null when none does. */
  readonly cheapest: (request: MatchRequest, need: GroupNeed) => Micros | null;
  /** By what all offers are ranked for a group; null when none fits. */
  readonly ranking: (request: MatchRequest, need: GroupNeed) => Ranking | null;
  /** How many offers and boxes have been looked at for all questions so far. */
  readonly looks: () => number;
  /** The same offers, some at other prices: `priced` gives such an offer as it then is. Left out by what looks at every offer. */
  readonly withPrices?: (offers: Iterable<OfferId>, priced: (offer: Offer) => Offer) => CandidateSource;
};

export type Ranked = Candidate & { readonly seed: number };

/** What is the same for all offers when the candidates of a group are ranked. */
export type Ranking = {
  readonly need: GroupNeed;
  readonly weights: Weights;
  readonly field: Field;
  readonly seed: number;
};

export const rankingOf = (request: MatchRequest, need: GroupNeed, field: Field): Ranking => ({
  need,
  field,
  weights: weightsOf(request, need.total.gpus),
  seed: hashOf(`${request.orderId}/${need.group.name}`),
});

/** Each offer's lot is its own: who else is on the market does not change it. Drawn only where nothing else decides. */
const lotOf = ({ seed, offer }: Ranked): number => stirred(hashOf(offer.offerId, seed));

type Found = {
  readonly offer: Offer;
  readonly provider: Provider;
  readonly free: readonly NodeFree[];
  readonly fit: Fit;
  readonly known?: Known;
};

export const ranked = (
  { need, weights, field, seed }: Ranking,
  { offer, provider, free, fit, known }: Found,
): Ranked => {
  const terms = scoreTerms({ need, offer, provider, free }, fit, field, known);
  return {
    offer,
    provider,
    rateMicrosPerHour: fit.rateMicrosPerHour,
    terms,
    score: scoreOf(terms, weights),
    seed,
  };
};

/** Negative when a comes first. Never 0 for two offers. */
export const byRank = (a: Ranked, b: Ranked): number =>
  b.score - a.score ||
  b.terms.fit - a.terms.fit ||
  lotOf(a) - lotOf(b) ||
  (a.offer.offerId < b.offer.offerId ? -1 : 1);

/** What there is to look at, with what is free on each. */
export type Offers = {
  readonly offers: () => Iterable<{ readonly offer: Offer; readonly provider: Provider }>;
  readonly free: (offer: Offer) => readonly NodeFree[];
};

const fitting = (need: GroupNeed, view: Offers): Found[] => {
  const found: Found[] = [];
  for (const { offer, provider } of view.offers()) {
    const free = view.free(offer);
    const fit = fitOf({ need, offer, provider, free });
    if (fit) found.push({ offer, provider, free, fit });
  }
  return found;
};

const fieldOf = (need: GroupNeed, found: readonly Found[]): Field => ({
  cheapest: found.map(({ fit }) => fit.rateMicrosPerHour).reduce(minMicros),
  fastest: Math.max(...found.map(({ offer }) => throughputOf({ offer, need }))),
});

/** Looks at every offer there is. */
export const scanOf = (scanned: Offers): CandidateSource => {
  let looks = 0;
  const view: Offers = {
    free: (offer) => scanned.free(offer),
    *offers() {
      for (const one of scanned.offers()) {
        looks += 1;
        yield one;
      }
    },
  };
  const rankingAmong = (request: MatchRequest, need: GroupNeed, found: readonly Found[]): Ranking | null =>
    found.length === 0 ? null : rankingOf(request, need, fieldOf(need, found));
  const candidates: CandidateSource['candidates'] = (request, need) => {
    const found = fitting(need, view);
    const ranking = rankingAmong(request, need, found);
    return ranking ? found.map((one) => ranked(ranking, one)).sort(byRank) : [];
  };
  const cheapest: CandidateSource['cheapest'] = (_, need) => {
    const found = fitting(need, view);
    return found.length === 0 ? null : fieldOf(need, found).cheapest;
  };
  const ranking: CandidateSource['ranking'] = (request, need) =>
    rankingAmong(request, need, fitting(need, view));
  return { candidates, cheapest, ranking, looks: () => looks };
};
