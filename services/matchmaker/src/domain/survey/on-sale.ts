import type { OfferGpu } from '@gridbourse/events';
import type { MarketView } from '../matching.ts';
import { surveyOf } from './market-survey.ts';
import type { OnSale } from './survey.ts';

/** What may be asked for instead, without a look at every offer. All of it in an order that depends on nothing else. */

const onSale = (view: MarketView): OnSale => (view.survey ?? surveyOf(view)).kinds();

const inOrder = <T>(all: Iterable<T>, keyOf: (one: T) => string): T[] =>
  [...new Map([...all].map((one) => [keyOf(one), one]))]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, one]) => one);

export const gpusOnSale = (view: MarketView): OfferGpu[] =>
  inOrder(
    [...onSale(view).gpus].flatMap(({ gpu }) => (gpu ? [gpu] : [])),
    (gpu) => JSON.stringify(gpu),
  );

export const modelsOnSale = (view: MarketView): string[] => [
  ...new Set(gpusOnSale(view).map(({ model }) => model)),
];

export const regionsOnSale = (view: MarketView): string[] =>
  inOrder(
    [...onSale(view).providers].map(({ place }) => place.region),
    (region) => region,
  );

export const storageClassesOnSale = (view: MarketView): string[] =>
  inOrder(
    [...onSale(view).terms].flatMap(({ storageClasses }) => storageClasses),
    (name) => name,
  );

/** Of each policy how long its leases may be. */
export const durationsOnSale = (
  view: MarketView,
): { readonly minDurationSeconds: number; readonly maxDurationSeconds: number }[] =>
  inOrder(
    [...onSale(view).terms].map(({ policy }) => policy),
    ({ minDurationSeconds, maxDurationSeconds }) => `${minDurationSeconds} ${maxDurationSeconds}`,
  );
