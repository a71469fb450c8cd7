import type { Micros } from '@gridbourse/kernel';
import { rateMicrosPerHour } from '../pricing.ts';
import type { GroupNeed, MatchRequest } from '../requirements.ts';
import { type Ground, type Host, type Hosting, hostingOf } from './hosts.ts';
import { mostParts, portionNeed } from './portion.ts';
import { type Patience, type Spread, spreadsOver } from './spread.ts';

/** Most attempts for one group, over all regions and numbers of parts. */
const MAX_STEPS = 30_000;

/** One part of a divided group: so many replicas of each service at one offer. */
export type Piece = {
  readonly host: Host;
  readonly need: GroupNeed;
  readonly replicas: readonly number[];
  readonly rateMicrosPerHour: Micros;
};

export type Division = { readonly pieces: readonly Piece[]; readonly rateMicrosPerHour: Micros };

const divisionFrom = (
  request: MatchRequest,
  need: GroupNeed,
  services: readonly number[],
  spread: Spread<Host>,
): Division => {
  const pieces = spread.map(({ taker: host, counts }): Piece => {
    const replicas = need.group.services.map((_, at) => counts[services.indexOf(at)]!);
    const part = portionNeed(request, need, replicas);
    return {
      host,
      need: part,
      replicas,
      rateMicrosPerHour: rateMicrosPerHour(host.offer.price, part.total),
    };
  });
  return {
    pieces,
    rateMicrosPerHour: pieces.reduce((total, piece) => total + piece.rateMicrosPerHour, 0n),
  };
};

/** The mean over all replicas of what one scores where it is. */
const meanScore = ({ pieces }: Division): number => {
  let score = 0;
  let all = 0;
  for (const { host, replicas } of pieces) {
    const count = replicas.reduce((total, each) => total + each, 0);
    score += count * host.score;
    all += count;
  }
  return score / all;
};

const cheaperFirst = (a: Host, b: Host): number => {
  for (let kind = 0; kind < a.unitRates.length; kind += 1) {
    if (a.unitRates[kind]! !== b.unitRates[kind]!) return a.unitRates[kind]! < b.unitRates[kind]! ? -1 : 1;
  }
  return b.most[0]! - a.most[0]! || (a.offer.offerId < b.offer.offerId ? -1 : 1);
};

/** Ways inside one region with so many parts, within the limit. */
function* inRegion(
  request: MatchRequest,
  need: GroupNeed,
  { services, wanted }: Hosting,
  hosts: readonly Host[],
  size: number,
  patience: Patience,
): Generator<Division> {
  for (const spread of spreadsOver(hosts, wanted, size, need.limitMicrosPerHour, patience)) {
    const division = divisionFrom(request, need, services, spread);
    // Each lease's rate is rounded up: it may take the sum over the limit.
    if (division.rateMicrosPerHour <= need.limitMicrosPerHour) yield division;
  }
}

/** The first of each region, best first, then whatever else there is. */
function* acrossRegions(ways: readonly Generator<Division>[]): Generator<Division> {
  const first: { readonly division: Division; readonly rest: Generator<Division> }[] = [];
  for (const rest of ways) {
    const next = rest.next();
    if (!next.done) first.push({ division: next.value, rest });
  }
  first.sort((a, b) => meanScore(b.division) - meanScore(a.division));
  for (const { division } of first) yield division;
  for (const { rest } of first) yield* rest;
}

/**
 * Ways to divide the group over several offers of one region, within its limit: fewest parts first; with as many parts,
 * first the best that the best hosts of each region make. Found as they are asked for, all there are unless attempts
 * run out (30,000); then the cheapest hosts are tried first, as often again.
 */
export function* divisionsOf(request: MatchRequest, need: GroupNeed, ground: Ground): Generator<Division> {
  const most = mostParts(need.group);
  if (most < 2) return;
  const hosting = hostingOf(request, need, most, ground);
  for (const order of [null, cheaperFirst]) {
    const patience: Patience = { steps: MAX_STEPS };
    const regions = order ? hosting.regions.map((hosts) => [...hosts].sort(order)) : hosting.regions;
    for (let size = 2; size <= most; size += 1) {
      yield* acrossRegions(regions.map((hosts) => inRegion(request, need, hosting, hosts, size, patience)));
    }
    if (patience.steps >= 0) return;
  }
}
