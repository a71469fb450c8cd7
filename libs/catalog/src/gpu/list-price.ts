import type { Micros } from '@gridbourse/kernel';
import type { GpuModel } from './gpu-types.ts';

/** What the large clouds ask for one GPU, on demand. Micro-USD per GPU hour. */
export type ListPrice = { readonly lowMicros: Micros; readonly highMicros: Micros; readonly basis: string };

/**
 * Only models for which the market design documents a price. Others have none, rather than a guess: a saving
 * against an invented price would be an invented saving.
 */
const LIST_PRICES: ReadonlyMap<string, ListPrice> = new Map([
  ['t4', { lowMicros: 520_000n, highMicros: 520_000n, basis: 'cloud list price, $0.52/h' }],
  ['a100', { lowMicros: 8_000_000n, highMicros: 10_000_000n, basis: 'cloud list price, $8 to 10/h' }],
  ['h100', { lowMicros: 12_000_000n, highMicros: 12_000_000n, basis: 'cloud list price, up to $12/h' }],
]);

export const listPrice = (model: GpuModel): ListPrice | null => LIST_PRICES.get(model.id) ?? null;

/** The lower end of the list price, so that a saving is never overstated within the range; null when not known. */
export const listPriceMicrosPerGpuHour = (model: GpuModel): Micros | null =>
  listPrice(model)?.lowMicros ?? null;
