import type { Micros } from '@gridbourse/kernel';
import type { Ranking } from '../candidates.ts';
import { nearest } from '../pricing.ts';
import { costTerm, geographyTerm, performanceTerm, weightedMean, type Weights } from '../scoring.ts';
import type { Ask } from './ask.ts';
import type { Columns } from './columns.ts';
import { FANOUT, FIELD, FIELDS_AT, lowestBit, NODE_WORDS } from './layout.ts';
import type { ShelfFacts } from './shelves.ts';

/** For one group's ranking: scores that nothing below an entry of a node exceeds. */
export class Bounds {
  private readonly weights: Weights;
  private readonly cheapest: number;
  private readonly fastest: number;

  constructor(
    private readonly ask: Ask,
    private readonly columns: Columns,
    { weights, field }: Ranking,
  ) {
    this.weights = weights;
    this.cheapest = nearest(field.cheapest satisfies Micros);
    this.fastest = field.fastest;
  }

  /**
   * For the entries of a node that are in the mask. What is the same for all of them is taken out of the loop.
   * @param tripsMs by place, that nothing below undercuts; 0 where the tenant's place is not known
   * @param into by place
   */
  scoresAtMost(
    node: number,
    mask: number,
    { throughput, gpu }: ShelfFacts,
    tripsMs: Float64Array,
    into: Float64Array,
  ): void {
    const { ask, cheapest, columns, weights } = this;
    const { fields } = columns;
    const { limit } = ask;
    const speed = performanceTerm(throughput, this.fastest);
    const first = node * NODE_WORDS + FIELDS_AT;
    for (let rest = mask; rest !== 0; rest &= rest - 1) {
      const place = lowestBit(rest);
      const at = first + place;
      const rate = ask.rateAtLeast(fields, at);
      into[place] = weightedMean(
        weights,
        costTerm(rate > cheapest ? rate : cheapest, limit, cheapest),
        geographyTerm(tripsMs[place]!),
        speed,
        -fields[at + FIELD.reliabilityHigh * FANOUT]!,
        ask.fitAtMost(columns, node, place, gpu),
      );
    }
  }
}
