import fc from 'fast-check';
import type { Step } from './chain-history.ts';

const tenant = fc.integer({ min: 0, max: 2 });
const provider = fc.integer({ min: 1, max: 3 });
const seconds = fc.integer({ min: 1, max: 7_200 });

/** One step of a contract's life; most that can move money, some that shake the chain. */
export const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('deposit' as const),
      tenant,
      micros: fc.bigInt({ min: 1n, max: 10_000_000n }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('withdraw' as const),
      tenant,
      share: fc.integer({ min: 1, max: 100 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('open' as const),
      tenant,
      provider,
      rate: fc.bigInt({ min: 1n, max: 5_000_000n }),
      seconds,
    }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('settle' as const), seconds }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('close' as const), lease: fc.nat(20), seconds }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('extend' as const), lease: fc.nat(20), seconds }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('stop' as const), lease: fc.nat(20), seconds }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('claim' as const), provider }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('reorg' as const),
      blocks: fc.integer({ min: 1, max: 12 }),
      newestFirst: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('repeat' as const) }) },
);

export const steps = fc.array(step, { maxLength: 60 });
