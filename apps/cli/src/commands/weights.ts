import { DomainError } from '@gridbourse/kernel';
import type { Weights } from '@gridbourse/sdk';

export const TERMS = [
  'cost',
  'geography',
  'performance',
  'reliability',
  'fit',
] as const satisfies readonly (keyof Weights)[];

const refused = (message: string): DomainError => new DomainError('invalid', 'invalid_weights', message);

const isTerm = (name: string): name is keyof Weights => (TERMS as readonly string[]).includes(name);

/**
 * Reads `cost=0.7,performance=0.3`. What is not named is left out, and counts nothing.
 * @throws DomainError `invalid_weights`: an unknown term, one named twice, a weight outside 0 to 1, or all of them 0
 */
export const parseWeights = (text: string): Partial<Weights> => {
  const weights: Partial<Weights> = {};
  for (const part of text.split(',')) {
    const [, name, digits] = /^\s*([a-z]+)\s*=\s*(\d{1,3}(?:\.\d{1,15})?)\s*$/.exec(part) ?? [];
    if (name === undefined || digits === undefined)
      throw refused(`"${part}" is no weight: expected a term, = and a number from 0 to 1, like cost=0.7`);
    if (!isTerm(name))
      throw refused(`"${name}" is no term of the score: expected one of ${TERMS.join(', ')}`);
    if (name in weights) throw refused(`"${name}" is named twice`);
    const weight = Number(digits);
    if (weight > 1) throw refused(`${name}=${digits}: expected a number from 0 to 1`);
    weights[name] = weight;
  }
  if (Object.values(weights).every((weight) => weight === 0))
    throw refused('all weights are 0: at least one must be above 0');
  return weights;
};
