import type { Instant } from '@gridbourse/kernel';
import type { z } from 'zod';
import { MAX_BATCH } from './limits.ts';
import type { KeyValue } from './port.ts';

export type Observation<T> = { readonly id: string; readonly atMs: Instant; readonly value: T };

const inBatches = function* <T>(items: readonly T[]): Generator<T[]> {
  for (let from = 0; from < items.length; from += MAX_BATCH) yield items.slice(from, from + MAX_BATCH);
};

/**
 * The newest that is known of many things, shared by all processes: what is older never replaces what is newer, whatever
 * the order of arrival. Once an observation has expired nothing is known, and an older one would be taken.
 */
export class HotTelemetry<T> {
  constructor(
    private readonly store: Pick<KeyValue, 'putLatest' | 'getLatest'>,
    private readonly options: {
      /** What tells these observations from others of the same store. */
      readonly scope: string;
      /** Checks what is read: another version of us may have written it. */
      readonly schema: z.ZodType<T>;
      readonly ttlMs: number;
    },
  ) {}

  /**
   * Any number at once; the batches of a large number are not one atomic step, each observation is.
   * @returns how many were newer than what was known
   * @throws DomainError `key_value_unavailable`, `key_value_full`, `invalid_key`, `invalid_instant`, `value_too_large`
   */
  async put(observations: readonly Observation<T>[]): Promise<number> {
    let newer = 0;
    for (const batch of inBatches(observations)) {
      const entries = batch.map(({ id, atMs, value }) => ({
        key: this.keyOf(id),
        atMs,
        value: JSON.stringify(value),
      }));
      const kept = await this.store.putLatest(entries, this.options.ttlMs);
      newer += kept.filter(Boolean).length;
    }
    return newer;
  }

  /**
   * What is known, by id; what is not known, or cannot be read with our schema, is left out.
   * @throws DomainError `key_value_unavailable`, `invalid_key`
   */
  async get(ids: readonly string[]): Promise<Map<string, Observation<T>>> {
    const known = new Map<string, Observation<T>>();
    for (const batch of inBatches(ids)) {
      const found = await this.store.getLatest(batch.map((id) => this.keyOf(id)));
      for (const [index, latest] of found.entries()) {
        const value = latest && this.decode(latest.value);
        const id = batch[index]!;
        if (latest && value) known.set(id, { id, atMs: latest.atMs, value: value.decoded });
      }
    }
    return known;
  }

  private decode(text: string): { decoded: T } | undefined {
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch {
      return undefined;
    }
    const parsed = this.options.schema.safeParse(json);
    return parsed.success ? { decoded: parsed.data } : undefined;
  }

  private keyOf(id: string): string {
    return `${this.options.scope}/${id}`;
  }
}
