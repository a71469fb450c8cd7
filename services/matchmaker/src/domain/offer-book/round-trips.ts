import { rttBetweenMs, type RttEnd } from '@gridbourse/catalog';

/** Most estimates that are kept; the tenant's place that was asked from longest ago makes room. */
const MAX_KEPT = 4_000_000;
const FIRST_ROOM = 64;

const keyOf = ({ point }: RttEnd): string => `${point.latitude}|${point.longitude}`;

/** Places of providers, numbered, and estimated round trips from where tenants are, each worked out once. */
export class RoundTrips {
  private readonly numbers = new Map<string, number>();
  private readonly places: RttEnd[] = [];
  /** Least recently used first; NaN where nobody has asked yet. */
  private readonly tables = new Map<string, Float64Array>();
  private kept = 0;

  numberOf(place: RttEnd): number {
    const key = keyOf(place);
    const known = this.numbers.get(key);
    if (known !== undefined) return known;
    this.places.push(place);
    this.numbers.set(key, this.places.length - 1);
    return this.places.length - 1;
  }

  /** Estimates from one place, by the number of the other; read them through `between`. */
  from(origin: RttEnd): Float64Array {
    const key = keyOf(origin);
    const known = this.tables.get(key);
    if (known) this.tables.delete(key);
    const table = known && known.length >= this.places.length ? known : this.larger(known);
    this.tables.set(key, table);
    return table;
  }

  private larger(known: Float64Array | undefined): Float64Array {
    const table = new Float64Array(Math.max(FIRST_ROOM, 2 * this.places.length)).fill(NaN);
    if (known) table.set(known);
    this.kept += table.length - (known?.length ?? 0);
    for (const [oldest, { length }] of this.tables) {
      if (this.kept <= MAX_KEPT) break;
      this.tables.delete(oldest);
      this.kept -= length;
    }
    return table;
  }

  /** Milliseconds. @param table from `from(origin)` */
  between(origin: RttEnd, table: Float64Array, place: number): number {
    const known = table[place]!;
    if (!Number.isNaN(known)) return known;
    const estimate = rttBetweenMs(origin, this.places[place]!);
    table[place] = estimate;
    return estimate;
  }
}
