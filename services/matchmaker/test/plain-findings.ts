import { type Broken, brokenOf, type Constraint, type Subject } from '../src/domain/constraints.ts';
import type { MarketView } from '../src/domain/matching.ts';
import { rateMicrosPerHour } from '../src/domain/pricing.ts';
import type { GroupNeed } from '../src/domain/requirements.ts';
import type { Findings } from '../src/domain/survey/survey.ts';

type Held = { readonly subject: Subject; readonly broken: readonly Broken[]; readonly rate: bigint };

const byNearness = (a: Held, b: Held): number => {
  if (a.broken.length !== b.broken.length) return a.broken.length - b.broken.length;
  if (a.rate !== b.rate) return a.rate < b.rate ? -1 : 1;
  return a.subject.offer.offerId < b.subject.offer.offerId ? -1 : 1;
};

/** What a survey should find, by holding every offer against the group, one after the other. */
export const plainFindings = (need: GroupNeed, view: MarketView, atMost: number): Findings => {
  const held: Held[] = [];
  const failed = new Map<Constraint, number>();
  for (const { offer, provider } of view.offers()) {
    const subject = { need, offer, provider, free: view.free(offer) };
    const broken = brokenOf(subject);
    held.push({ subject, broken, rate: rateMicrosPerHour(offer.price, need.total) });
    for (const { constraint } of broken) failed.set(constraint, (failed.get(constraint) ?? 0) + 1);
  }
  return {
    offers: held.length,
    fitting: held.filter(({ broken }) => broken.length === 0).length,
    failed,
    nearest: held
      .sort(byNearness)
      .slice(0, atMost)
      .map(({ subject }) => subject),
  };
};
