import type { Micros } from '@gridbourse/kernel';
import type { Ranking } from '../candidates.ts';
import { nearest } from '../pricing.ts';
import { costTerm, geographyTerm, performanceTerm, weightedMean, type Weights } from '../scoring.ts';
import type { Ask } from './ask.ts';
import type { Columns } from './columns.ts';
import { FANOUT, FIELD, FIELDS_AT, NODE_WORDS } from './layout.ts';
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

  /** @param tripMs that nothing below undercuts; 0 where the tenant's place is not known */
  scoreAtMost(node: number, place: number, { throughput, gpu }: ShelfFacts, tripMs: number): number {
    const { ask, cheapest, columns } = this;
    const { fields } = columns;
    const at = node * NODE_WORDS + FIELDS_AT + place;
    const rate = ask.rateAtLeast(fields, at);
    return weightedMean(
      this.weights,
      costTerm(rate > cheapest ? rate : cheapest, ask.limit, cheapest),
      geographyTerm(tripMs),
      performanceTerm(throughput, this.fastest),
      -fields[at + FIELD.reliabilityHigh * FANOUT]!,
      ask.fitAtMost(columns, node, place, gpu),
    );
  }
}
