import type { Micros } from '@gridbourse/kernel';
import type { Offer, Provider } from '../market.ts';
import { nearest, rateMicrosPerHour, roundedUpRate, type Taken } from '../pricing.ts';
import { reliabilityTerm } from '../scoring.ts';

const FIRST_ROOM = 64;
/** Numbers of an offer, together a line of memory: four unit prices, and these. */
const STRIDE = 8;
const [MIN_DURATION, MAX_DURATION, RELIABILITY, GPUS_OF_EACH] = [4, 5, 6, 7];

/** GPUs that every machine has; NaN where one has more than another. */
const gpusOfEach = ({ nodes }: Offer): number => {
  const gpus = nodes[0]?.gpus ?? NaN;
  return nodes.every((node) => node.gpus === gpus) ? gpus : NaN;
};

/**
 * Of the offers in the slots of a book, exactly, what is looked at where an offer may be one of the best. The objects of an
 * offer and its provider lie all over the memory: to read the same from them means to wait for it a dozen times.
 */
export class Particulars {
  private numbers = new Float64Array(FIRST_ROOM * STRIDE);

  put(slot: number, offer: Offer, provider: Provider): void {
    const at = slot * STRIDE;
    if (at >= this.numbers.length) this.makeRoom(at + STRIDE);
    const { price, policy } = offer;
    this.numbers[at] = nearest(price.perGpu);
    this.numbers[at + 1] = nearest(price.perCpuCore);
    this.numbers[at + 2] = nearest(price.perMemoryGiB);
    this.numbers[at + 3] = nearest(price.perStorageGiB);
    this.numbers[at + MIN_DURATION] = policy.minDurationSeconds;
    this.numbers[at + MAX_DURATION] = policy.maxDurationSeconds;
    this.numbers[at + RELIABILITY] = reliabilityTerm(provider);
    this.numbers[at + GPUS_OF_EACH] = gpusOfEach(offer);
  }

  private makeRoom(length: number): void {
    const numbers = new Float64Array(Math.max(length, 2 * this.numbers.length));
    numbers.set(this.numbers);
    this.numbers = numbers;
  }

  reliabilityOf(slot: number): number {
    return this.numbers[slot * STRIDE + RELIABILITY]!;
  }

  /** GPUs that every machine of the offer was declared with; null where one has more than another. */
  gpusOfEach(slot: number): number | null {
    const gpus = this.numbers[slot * STRIDE + GPUS_OF_EACH]!;
    return Number.isNaN(gpus) ? null : gpus;
  }

  /** Whether the offer's policy lets it be taken for so long. */
  canLast(slot: number, seconds: number): boolean {
    const at = slot * STRIDE;
    return seconds >= this.numbers[at + MIN_DURATION]! && seconds <= this.numbers[at + MAX_DURATION]!;
  }

  /** As `rateMicrosPerHour`. @param offer the one in the slot */
  rateOf(slot: number, taken: Taken, offer: Offer): Micros {
    const at = slot * STRIDE;
    const { numbers } = this;
    return (
      roundedUpRate(numbers[at]!, numbers[at + 1]!, numbers[at + 2]!, numbers[at + 3]!, taken) ??
      rateMicrosPerHour(offer.price, taken)
    );
  }
}
