import { describe, expect, it } from '@jest/globals';
import { parseWeights } from './weights.ts';

describe('weights on the command line', () => {
  it('are read term by term, and leave out what is not named', () => {
    expect(parseWeights('cost=0.7,performance=0.3')).toEqual({ cost: 0.7, performance: 0.3 });
    expect(parseWeights(' fit = 1 , geography=0')).toEqual({ fit: 1, geography: 0 });
  });

  it.each([
    ['speed=1', 'no term'],
    ['cost=-0.1', 'no weight'],
    ['cost=1.5', 'from 0 to 1'],
    ['cost=0,fit=0', 'all weights are 0'],
    ['cost=0.2,cost=0.3', 'twice'],
    ['cost', 'no weight'],
    ['cost=NaN', 'no weight'],
    ['', 'no weight'],
  ])('"%s" is refused', (text, because) => {
    expect(() => parseWeights(text)).toThrow(
      expect.objectContaining({ code: 'invalid_weights', message: expect.stringContaining(because) }),
    );
  });
});
