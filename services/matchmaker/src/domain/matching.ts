import type { GroupPart, PlacementGroup } from '@gridbourse/events';
import { maxMicros, type Micros, type OfferId, type ProviderId } from '@gridbourse/kernel';
import { type Candidate, type CandidateSource, type Offers, scanOf } from './candidates.ts';
import type { CapacityBook, Placement } from './capacity-book.ts';
import { listRateMicrosPerHour } from './catalogue.ts';
import { type Division, divisionsOf } from './division/division.ts';
import { mostParts, partsOf } from './division/portion.ts';
import type { Patience } from './division/spread.ts';
import { type Market, type Offer, shareAMachine } from './market.ts';
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

/** Where a group goes, or one part of it where it is divided. */
export type GroupMatch = {
  readonly group: string;
  /** Null: the whole group. */
  readonly part: GroupPart | null;
  /** What the lease is for: the group, with the replicas of the part alone where it is divided. */
  readonly portion: PlacementGroup;
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

  /** Nobody asks any more: what the search keeps for it is free for others. */
  close(): void {
    this.rest.return?.();
  }
}

/** One lease to be: a group, or a part of it, at one offer. */
type Seat = {
  readonly group: string;
  readonly part: GroupPart | null;
  readonly need: GroupNeed;
  readonly offer: Offer;
  readonly rateMicrosPerHour: Micros;
  readonly score: number;
  readonly terms: ScoreTerms;
};

const wholeSeat = (need: GroupNeed, candidate: Candidate): Seat => ({
  group: need.group.name,
  part: null,
  need,
  ...candidate,
});

const seatsOf = (need: GroupNeed, { pieces }: Division): Seat[] => {
  const parts = partsOf(
    need.group,
    pieces.map(({ replicas }) => replicas),
  );
  return pieces.map(({ host: { offer, score, terms }, need: portion, rateMicrosPerHour }, at) => ({
    group: need.group.name,
    part: parts[at]!,
    need: portion,
    ...{ offer, rateMicrosPerHour, score, terms },
  }));
};

const podsAt = (seats: readonly Seat[], offerId: OfferId): Pod<PodTag>[] =>
  seats.filter(({ offer }) => offer.offerId === offerId).flatMap(({ need }) => need.pods);

/** All pods that the chosen groups put on one offer, packed together: their machines are shared out at once. */
const packOffer = (seats: readonly Seat[], offer: Offer, view: MarketView): Packed<PodTag>[] | null =>
  pack(podsAt(seats, offer.offerId), view.free(offer));

const placed = (seats: readonly Seat[], view: MarketView): GroupMatch[] => {
  const packedByOffer = new Map<OfferId, Packed<PodTag>[]>();
  return seats.map(({ group, part, need, offer, rateMicrosPerHour, score, terms }) => {
    let packed = packedByOffer.get(offer.offerId);
    if (!packed) packedByOffer.set(offer.offerId, (packed = packOffer(seats, offer, view)!));
    return {
      group,
      part,
      portion: need.group,
      offerId: offer.offerId,
      providerId: offer.providerId,
      rateMicrosPerHour,
      listRateMicrosPerHour: listRateMicrosPerHour(offer.gpu, need.total.gpus),
      placements: packed
        .filter(({ tag }) => tag.group === group)
        .map(({ tag, node }) => ({ service: tag.service, replica: tag.replica, node })),
      score,
      terms,
    };
  });
};

/** Places that a group may take when some are taken already, best first. */
type Options = (need: GroupNeed, at: number, taken: readonly Seat[]) => Iterable<readonly Seat[]>;

/**
 * The first combination of one option for each group that stays within the order's limit and has room for all.
 */
const combine = (
  request: MatchRequest,
  needs: readonly GroupNeed[],
  view: MarketView,
  options: Options,
  patience: Patience,
): readonly Seat[] | null => {
  const choose = (at: number, taken: readonly Seat[], spent: Micros): readonly Seat[] | null => {
    if (at === needs.length) return taken;
    for (const option of options(needs[at]!, at, taken)) {
      patience.steps -= 1;
      if (patience.steps < 0) return null;
      const total = option.reduce((sum, seat) => sum + seat.rateMicrosPerHour, spent);
      if (total > request.maxRateMicrosPerHour) continue;
      const seats = [...taken, ...option];
      // What is free on a machine is counted offer by offer here: through two of them it would be taken twice.
      if (option.some((seat) => seats.some((other) => shareAMachine(seat.offer, other.offer)))) continue;
      const shared = option.some(({ offer }) => taken.some((other) => other.offer.offerId === offer.offerId));
      if (shared && !option.every(({ offer }) => packOffer(seats, offer, view))) continue;
      const found = choose(at + 1, seats, total);
      if (found) return found;
    }
    return null;
  };
  return choose(0, [], 0n);
};

function* listed(shortlist: Shortlist, need: GroupNeed): Generator<readonly Seat[]> {
  for (let i = 0, candidate = shortlist.at(i); candidate; candidate = shortlist.at((i += 1))) {
    yield [wholeSeat(need, candidate)];
  }
}

/** Where each group goes, groups with the most GPUs first, and for each where else it could have gone whole. */
type Choice = {
  readonly needs: readonly GroupNeed[];
  readonly seats: readonly Seat[];
  readonly shortlists: readonly Shortlist[];
};

/** What a match needs of the choice is told by `of`, while the shortlists can still be asked. */
const chosen = <R>(request: MatchRequest, view: MarketView, of: (choice: Choice) => R): R | null => {
  const shortlists: Shortlist[] = [];
  try {
    const choice = choose(request, view, shortlists);
    return choice && of(choice);
  } finally {
    for (const shortlist of shortlists) shortlist.close();
  }
};

/** @param shortlists gets those that were opened */
const choose = (request: MatchRequest, view: MarketView, shortlists: Shortlist[]): Choice | null => {
  const needs = groupNeeds(request).sort((a, b) => b.total.gpus - a.total.gpus);
  const source = sourceOf(view);
  const mayDivide = (need: GroupNeed): boolean => request.auction !== true && mostParts(need.group) > 1;
  for (const need of needs) {
    const shortlist = new Shortlist(source.candidates(request, need));
    shortlists.push(shortlist);
    // A group that neither fits whole nor may be divided decides it.
    if (!shortlist.at(0) && !mayDivide(need)) return null;
  }
  const whole: Options = (need, at) => listed(shortlists[at]!, need);
  const divided: Options = function* (need, at, taken) {
    yield* whole(need, at, taken);
    if (!mayDivide(need)) return;
    const beside = (offerId: OfferId): Pod<PodTag>[] => podsAt(taken, offerId);
    for (const division of divisionsOf(request, need, { source, free: (offer) => view.free(offer), beside }))
      yield seatsOf(need, division);
  };
  const search = (options: Options): readonly Seat[] | null =>
    combine(request, needs, view, options, { steps: MAX_GANG_STEPS });
  const seats = search(whole) ?? (needs.some(mayDivide) ? search(divided) : null);
  return seats && { needs, seats, shortlists };
};

const matchOf = (request: MatchRequest, { seats }: Choice, view: MarketView): Match => {
  const groups = placed(seats, view).sort(
    (a, b) => groupIndex(request, a.group) - groupIndex(request, b.group),
  );
  return { groups, rateMicrosPerHour: groups.reduce((sum, group) => sum + group.rateMicrosPerHour, 0n) };
};

/**
 * Chooses an offer for every group, all or nothing: the best of each where they do not get in each other's way, else
 * the first combination found, groups with the most GPUs first. Only where that finds nothing are groups divided that
 * may be; see `divisionsOf`. Changes nothing.
 * @returns null when no combination fits, or none was found within 2,000 attempts.
 */
export const matchOrder = (request: MatchRequest, view: MarketView): Match | null =>
  chosen(request, view, (choice) => matchOf(request, choice, view));

/** A match, and by the name of its group the best offer that fits as well and is not taken for it. */
export type Contest = { readonly match: Match; readonly runnersUp: ReadonlyMap<string, Candidate> };

/** As `matchOrder`; looks on for who came second, which costs little where the first has been found. */
export const contestOrder = (request: MatchRequest, view: MarketView): Contest | null =>
  chosen(request, view, (choice) => contestOf(request, choice, view));

const contestOf = (request: MatchRequest, choice: Choice, view: MarketView): Contest => {
  const runnersUp = new Map<string, Candidate>();
  choice.needs.forEach(({ group: { name } }, at) => {
    const taken = choice.seats.find(({ group, part }) => group === name && part === null);
    // What a divided group was preferred to are other divisions: nobody has looked for them.
    if (!taken) return;
    const shortlist = choice.shortlists[at]!;
    const first = shortlist.at(0)!;
    const runnerUp = first.offer.offerId === taken.offer.offerId ? shortlist.at(1) : first;
    if (runnerUp) runnersUp.set(name, runnerUp);
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
