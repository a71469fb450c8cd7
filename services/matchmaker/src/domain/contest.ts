import type { GroupRanking, RankedOffer } from '@gridbourse/events';
import type { Contest } from './matching.ts';
import type { ScoreTerms } from './scoring.ts';

/** Enough to tell offers apart and to show why; a matched order is written to disk with each digit. */
const SCORE_DIGITS = 6;
const TERM_DIGITS = 4;

/** A score is a weighted mean of floating point numbers: a last bit too much is nothing. */
const rounded = (share: number, digits: number): number =>
  Math.min(1, Math.max(0, Math.round(share * 10 ** digits) / 10 ** digits));

type Ranked = Pick<RankedOffer, 'offerId' | 'providerId' | 'rateMicrosPerHour' | 'score'> & {
  readonly terms: ScoreTerms;
};

const rankedOffer = ({ offerId, providerId, rateMicrosPerHour, score, terms }: Ranked): RankedOffer => ({
  offerId,
  providerId,
  rateMicrosPerHour,
  score: rounded(score, SCORE_DIGITS),
  terms: {
    cost: rounded(terms.cost, TERM_DIGITS),
    geography: rounded(terms.geography, TERM_DIGITS),
    performance: rounded(terms.performance, TERM_DIGITS),
    reliability: rounded(terms.reliability, TERM_DIGITS),
    fit: rounded(terms.fit, TERM_DIGITS),
  } satisfies ScoreTerms,
});

/** What is told of a match: for each group what was taken, beside the best that was not. */
export const rankingOf = ({ match, runnersUp }: Contest): GroupRanking[] =>
  match.groups.map((winner) => {
    const runnerUp = runnersUp.get(winner.group);
    return {
      group: winner.group,
      winner: rankedOffer(winner),
      runnerUp: runnerUp
        ? rankedOffer({
            ...runnerUp,
            offerId: runnerUp.offer.offerId,
            providerId: runnerUp.provider.providerId,
          })
        : null,
    };
  });
