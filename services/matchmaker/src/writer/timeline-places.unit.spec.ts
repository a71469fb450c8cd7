import { describe, expect, it } from '@jest/globals';
import { TimelinePlaces } from './timeline-places.ts';

const EPOCH = 2n ** 40n;

describe('places in the timeline', () => {
  it.each([0n, 1n, 8_190n, 8_191n, 8_192n, 2n ** 22n])(
    'grow by one from the first of epoch %s, exactly, the cause before what follows from it',
    (epoch) => {
      const places = new TimelinePlaces(epoch);
      const taken = [3, 0, 1].flatMap((emitted) => {
        const { cause, emitted: all } = places.take(emitted);
        expect(all).toHaveLength(emitted);
        return [cause, ...all];
      });
      expect(taken).toEqual(taken.map((_, nth) => String(epoch * EPOCH + BigInt(nth))));
    },
  );
});
