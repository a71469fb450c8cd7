import type { Micros } from '@gridbourse/kernel';

/** By how much less than list, as a share with four digits: 0.4217 is 42.17 %. Negative where list is cheaper. */
export const savingShare = (listMicros: Micros, paidMicros: Micros): number =>
  listMicros === 0n ? 0 : Number(((listMicros - paidMicros) * 10_000n) / listMicros) / 10_000;
