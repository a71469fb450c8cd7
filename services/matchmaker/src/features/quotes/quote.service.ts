import { CLOCK, RANDOM, SERVICE_CONFIG } from '@gridbourse/api';
import type { Explanation } from '@gridbourse/events';
import { type Clock, lockMicros, type Micros, newId, type Random } from '@gridbourse/kernel';
import { Inject, Injectable } from '@nestjs/common';
import { checkDivisible } from '../../domain/division/portion.ts';
import { explain } from '../../domain/explanation.ts';
import {
  type Candidate,
  candidatesOf,
  type GroupMatch,
  listRateOf,
  type Match,
  matchOrder,
} from '../../domain/matching.ts';
import { groupNeeds, type MatchRequest } from '../../domain/requirements.ts';
import type { MatchmakerConfig } from '../../matchmaker.config.ts';
import { OrderReader } from '../../read-models/order-reader.ts';
import { Matchmaker } from '../../writer/matchmaker.ts';
import { savingOf } from '../orders/order.dto.ts';
import type { ManifestRequest } from '../orders/order-request.ts';
import { readRequest, warningText } from '../orders/read-manifest.ts';

export type Quote = {
  readonly match: Match | null;
  readonly totalMicros: Micros | null;
  readonly listRateMicros: Micros | null;
  readonly saving: number | null;
  /** Parts of groups that would be divided. */
  readonly parts: readonly GroupMatch[];
  readonly groups: readonly { readonly group: string; readonly candidates: readonly Candidate[] }[];
  readonly explanation: Explanation | null;
  readonly estimatedStartMs: number | null;
  readonly warnings: readonly string[];
};

/** What the groups with a list price save against it; groups without one do not count. */
const savingOfMatch = (match: Match): number | null => {
  const listed = match.groups.filter((group) => group.listRateMicrosPerHour !== null);
  if (listed.length === 0) return null;
  const rate = listed.reduce((sum, group) => sum + group.rateMicrosPerHour, 0n);
  return savingOf(rate, listRateOf(match));
};

/** Prices a manifest against live offers. Holds nothing, changes nothing. */
@Injectable()
export class QuoteService {
  constructor(
    private readonly matchmaker: Matchmaker,
    private readonly reader: OrderReader,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(RANDOM) private readonly random: Random,
    @Inject(SERVICE_CONFIG) private readonly config: MatchmakerConfig,
  ) {}

  /** @throws DomainError `invalid_manifest` with the place of every fault; `group_not_divisible`. */
  async quote(input: ManifestRequest): Promise<Quote> {
    const { wishes, warnings } = readRequest(input, this.config);
    checkDivisible(wishes.spec, 'instant');
    const request: MatchRequest = {
      ...wishes,
      orderId: newId('order', this.clock.now(), this.random),
      declinedBy: [],
    };
    const { view } = this.matchmaker.exchange;
    const match = matchOrder(request, view);
    const groups = groupNeeds(request).map((need) => ({
      group: need.group.name,
      candidates: this.best(candidatesOf(request, need, view), match, need.group.name),
    }));
    const explanation = match ? null : explain(request, view);
    const durationSeconds = BigInt(wishes.spec.durationSeconds);
    return {
      match,
      totalMicros:
        match &&
        match.groups.reduce((sum, group) => sum + lockMicros(group.rateMicrosPerHour, durationSeconds), 0n),
      listRateMicros: match && listRateOf(match),
      saving: match && savingOfMatch(match),
      parts: match?.groups.filter(({ part }) => part !== null) ?? [],
      groups,
      explanation,
      estimatedStartMs: match && (await this.reader.usualStartMs()),
      warnings: warnings.map(warningText),
    };
  }

  /**
   * The offer that the match takes whole comes first; in a gang it need not be the best for its group alone. Of a divided
   * group no offer takes all: looking for one would go through the whole market.
   */
  private best(candidates: Iterable<Candidate>, match: Match | null, group: string): Candidate[] {
    const chosen = match?.groups.find((one) => one.group === group && one.part === null)?.offerId;
    const { quoteCandidates } = this.config;
    const others: Candidate[] = [];
    const first: Candidate[] = [];
    for (const candidate of candidates) {
      if (candidate.offer.offerId === chosen) first.push(candidate);
      else if (others.length < quoteCandidates) others.push(candidate);
      if (others.length === quoteCandidates && (chosen === undefined || first.length > 0)) break;
    }
    return [...first, ...others].slice(0, quoteCandidates);
  }
}
