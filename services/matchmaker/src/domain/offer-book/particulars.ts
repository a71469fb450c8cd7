import type { Micros } from '@gridbourse/kernel';
import type { Offer, Provider } from '../market.ts';
import { nearest, rateMicrosPerHour, roundedUpRate, type Taken } from '../pricing.ts';
import { reliabilityTerm } from '../scoring.ts';

const FIRST_ROOM = 64;
/** Numbers of an offer: four unit prices, shortest and longest duration, reliability; one is not used. Together a line of memory. */
const STRIDE = 8;
const [MIN_DURATION, MAX_DURATION, RELIABILITY] = [4, 5, 6];

/**
 * Of the offers in the slots of a book, exactly, what is looked at where an offer may be one of the best. The objects of an
 * offer and its provider lie all over the memory: to read the same from them takes longer than all else that is done with it.
 */
export class Particulars {
  private numbers = new Float64Array(FIRST_ROOM * STRIDE);
  private placeNumbers = new Int32Array(FIRST_ROOM);

  /** @param place number of the provider's place */
  put(slot: number, { price, policy }: Offer, provider: Provider, place: number): void {
    if (slot >= this.placeNumbers.length) this.makeRoom(slot + 1);
    const { perGpu, perCpuCore, perMemoryGiB, perStorageGiB } = price;
    this.numbers.set(
      [
        ...[perGpu, perCpuCore, perMemoryGiB, perStorageGiB].map(nearest),
        policy.minDurationSeconds,
        policy.maxDurationSeconds,
        reliabilityTerm(provider),
      ],
      slot * STRIDE,
    );
    this.placeNumbers[slot] = place;
  }

  private makeRoom(slots: number): void {
    const room = Math.max(slots, 2 * this.placeNumbers.length);
    const [numbers, places] = [new Float64Array(room * STRIDE), new Int32Array(room)];
    numbers.set(this.numbers);
    places.set(this.placeNumbers);
    [this.numbers, this.placeNumbers] = [numbers, places];
  }

  /** Number of the provider's place. */
  placeOf(slot: number): number {
    return this.placeNumbers[slot]!;
  }

  reliabilityOf(slot: number): number {
    return this.numbers[slot * STRIDE + RELIABILITY]!;
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
