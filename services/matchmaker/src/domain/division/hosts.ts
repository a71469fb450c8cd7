import { maxMicros, minMicros, type OfferId } from '@gridbourse/kernel';
import { type Candidate, type CandidateSource, ranked, rankingOf } from '../candidates.ts';
import type { NodeFree } from '../capacity-book.ts';
import { type Fit, fitOf } from '../constraints.ts';
import type { Offer, Provider } from '../market.ts';
import { mostAlike, pack, type Pod } from '../packing.ts';
import { exactRate } from '../pricing.ts';
import type { GroupNeed, MatchRequest, PodTag } from '../requirements.ts';
import { type Field, type ScoreTerms, throughputOf } from '../scoring.ts';
import { portionNeed } from './portion.ts';
import type { Taker } from './spread.ts';

/** Offers that are looked at for each size of a part: the best, however large the market is. */
const MAX_OFFERS_A_SIZE = 200;

/** An offer that can take a part of a group. */
export type Host = Taker & {
  readonly offer: Offer;
  readonly provider: Provider;
  /** As an order of one replica would score there. */
  readonly score: number;
  readonly terms: ScoreTerms;
};

/** What the search for hosts looks at. */
export type Ground = {
  readonly source: CandidateSource;
  readonly free: (offer: Offer) => readonly NodeFree[];
  /** Pods that earlier groups of the same order put on an offer. */
  readonly beside: (offerId: OfferId) => readonly Pod<PodTag>[];
};

type Found = { readonly offer: Offer; readonly provider: Provider; readonly fits: readonly (Fit | null)[] };

/** One kind of replica: a service of the group. */
type Kind = { readonly at: number; readonly replicas: number; readonly one: GroupNeed };

const kindsOf = (request: MatchRequest, need: GroupNeed): Kind[] => {
  const { services } = need.group;
  return services
    .map(({ replicas }, at) => ({
      at,
      replicas,
      one: portionNeed(
        request,
        need,
        services.map((_, other) => (other === at ? 1 : 0)),
      ),
    }))
    .sort((a, b) => largerFirst(a.one, b.one) || a.at - b.at);
};

const largerFirst = ({ total: a }: GroupNeed, { total: b }: GroupNeed): number =>
  b.gpus - a.gpus || b.cpuMillis - a.cpuMillis || b.memoryMiB - a.memoryMiB || b.storageMiB - a.storageMiB;

/** Parts of these sizes are asked for: where there is room for a division, some part has at least `replicas / parts`. */
const sizesOf = (replicas: number, parts: number): number[] => [
  ...new Set([replicas, Math.ceil(replicas / 2), Math.ceil(replicas / parts), 1]),
];

/** Offers that could take some replica, the best of each size of a part. */
const offersFor = (
  request: MatchRequest,
  need: GroupNeed,
  kinds: readonly Kind[],
  parts: number,
  { source }: Ground,
): Candidate[] => {
  const found = new Map<OfferId, Candidate>();
  for (const { at, replicas } of kinds) {
    for (const size of sizesOf(replicas, parts)) {
      const sized = portionNeed(
        request,
        need,
        need.group.services.map((_, other) => (other === at ? size : 0)),
      );
      let looked = 0;
      for (const candidate of source.candidates(request, sized)) {
        if (!found.has(candidate.offer.offerId)) found.set(candidate.offer.offerId, candidate);
        looked += 1;
        if (looked >= MAX_OFFERS_A_SIZE) break;
      }
    }
  }
  return [...found.values()];
};

const fieldOf = (found: readonly Found[], kind: number, { one }: Kind): Field => {
  const fitting = found.filter(({ fits }) => fits[kind]);
  return {
    cheapest: fitting.map(({ fits }) => fits[kind]!.rateMicrosPerHour).reduce(minMicros),
    fastest: Math.max(...fitting.map(({ offer }) => throughputOf({ offer, need: one }))),
  };
};

const takerOf = ({ offer, fits }: Found, kinds: readonly Kind[], ground: Ground): Taker => {
  const free = ground.free(offer);
  const beside = ground.beside(offer.offerId);
  const pods = kinds.map(({ one }) => one.pods[0]!);
  const most = kinds.map(({ replicas }, kind) =>
    fits[kind] ? mostAlike(pods[kind]!.needs, free, replicas, beside) : 0,
  );
  const holds = (counts: readonly number[]): boolean => {
    if (counts.some((count, kind) => count > most[kind]!)) return false;
    if (counts.filter((count) => count > 0).length <= 1) return true;
    const all = counts.flatMap((count, kind) => Array<Pod<PodTag>>(count).fill(pods[kind]!));
    return pack([...beside, ...all], free) !== null;
  };
  return { most, holds, unitRates: kinds.map(({ one }) => exactRate(offer.price, one.total)) };
};

const byScore = (a: Host, b: Host): number =>
  b.score - a.score || b.terms.fit - a.terms.fit || (a.offer.offerId < b.offer.offerId ? -1 : 1);

/** The kinds of replicas of a group, the largest first, with the hosts of each region, best first. */
export type Hosting = {
  /** Place of each kind's service in the group. */
  readonly services: readonly number[];
  readonly wanted: readonly number[];
  readonly regions: readonly (readonly Host[])[];
};

/** Who could take parts of the group. A host is scored by what one replica of the largest kind that it takes would score. */
export const hostingOf = (request: MatchRequest, need: GroupNeed, parts: number, ground: Ground): Hosting => {
  const kinds = kindsOf(request, need);
  const found = offersFor(request, need, kinds, parts, ground).map(({ offer, provider }): Found => ({
    offer,
    provider,
    fits: kinds.map(({ one }) => fitOf({ need: one, offer, provider, free: ground.free(offer) })),
  }));
  const rankings = kinds.map((kind, i) =>
    found.some(({ fits }) => fits[i]) ? rankingOf(request, kind.one, fieldOf(found, i, kind)) : null,
  );
  const byRegion = new Map<string, Host[]>();
  for (const one of found) {
    const kind = one.fits.findIndex((fit) => fit !== null);
    if (kind < 0) continue;
    const taker = takerOf(one, kinds, ground);
    if (taker.most.every((most) => most === 0)) continue;
    const { offer, provider } = one;
    const { score, terms } = scoredAt(rankings[kind]!, one, kind, kinds[kind]!, ground);
    const host: Host = { ...taker, offer, provider, score, terms };
    const { region } = provider.place;
    const hosts = byRegion.get(region);
    if (hosts) hosts.push(host);
    else byRegion.set(region, [host]);
  }
  const regions = [...byRegion.values()].map((hosts) => hosts.sort(byScore));
  return {
    services: kinds.map(({ at }) => at),
    wanted: kinds.map(({ replicas }) => replicas),
    regions: regions.sort((a, b) => byScore(a[0]!, b[0]!)),
  };
};

/** Against what the tenant pays for one replica: a dearer one counts as using it up, for another may make up for it. */
const scoredAt = (
  ranking: ReturnType<typeof rankingOf>,
  { offer, provider, fits }: Found,
  kind: number,
  { one }: Kind,
  { free }: Ground,
): Candidate => {
  const fit = fits[kind]!;
  const service = one.group.services[0]!;
  const limitMicrosPerHour = maxMicros(service.maxRateMicrosPerHour, fit.rateMicrosPerHour);
  return ranked(
    { ...ranking, need: { ...one, limitMicrosPerHour } },
    { offer, provider, free: free(offer), fit },
  );
};
