import { KEY_VALUE } from '@gridbourse/api';
import type { Instant } from '@gridbourse/kernel';
import { HotTelemetry, isStoreTrouble, type KeyValue } from '@gridbourse/key-value';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { z } from 'zod';

type Row = { provider_id: string; last_seen_at_ms: string };

/** Longer than any grace time that silence is judged by. */
const SHARED_FOR_MS = 2 * 86_400_000;

/**
 * When each provider was heard of last: by this instance at once, by all instances a moment later in the key-value store,
 * and every few seconds in the database.
 */
@Injectable()
export class Sightings {
  private readonly seen = new Map<string, Instant>();
  private unsaved = new Set<string>();
  private unshared = new Set<string>();
  /** The moment is all there is to know. */
  private readonly shared: HotTelemetry<null>;

  constructor(
    private readonly dataSource: DataSource,
    @Inject(KEY_VALUE) store: KeyValue,
  ) {
    this.shared = new HotTelemetry(store, {
      scope: 'registry/sightings',
      schema: z.null(),
      ttlMs: SHARED_FOR_MS,
    });
  }

  note(providerId: string, atMs: Instant): void {
    this.seen.set(providerId, atMs);
    this.unsaved.add(providerId);
    this.unshared.add(providerId);
  }

  async lastSeenAtMs(providerId: string): Promise<Instant | null> {
    return (await this.lastSeenOf([providerId])).get(providerId) ?? null;
  }

  /** Of those that were ever seen, as far as can be told now: without the key-value store it may be some seconds old. */
  async lastSeenOf(providerIds: readonly string[]): Promise<Map<string, Instant>> {
    const unknown = providerIds.filter((id) => !this.seen.has(id));
    const rows =
      unknown.length === 0
        ? []
        : await this.dataSource.query<Row[]>(
            'SELECT provider_id, last_seen_at_ms FROM provider_sightings WHERE provider_id = ANY($1)',
            [unknown],
          );
    const stored = new Map(rows.map((row) => [row.provider_id, Number(row.last_seen_at_ms)]));
    const shared = await this.lastSharedOf(providerIds).catch(withoutStore);
    const known = new Map<string, Instant>();
    for (const id of providerIds) {
      const heard = [this.seen.get(id) ?? stored.get(id), shared.get(id)].filter(
        (atMs) => atMs !== undefined,
      );
      if (heard.length > 0) known.set(id, Math.max(...heard));
    }
    return known;
  }

  /**
   * What any instance has shared.
   * @throws DomainError `key_value_unavailable`: nothing can be said about anybody
   */
  async lastSharedOf(providerIds: readonly string[]): Promise<Map<string, Instant>> {
    const found = await this.shared.get(providerIds);
    return new Map([...found].map(([id, { atMs }]) => [id, atMs]));
  }

  /**
   * Tells the other instances what is new since the last time; what they could not be told is tried again next time.
   * @throws DomainError `key_value_unavailable`, `key_value_full`
   */
  async share(): Promise<void> {
    const ids = [...this.unshared];
    if (ids.length === 0) return;
    this.unshared = new Set();
    try {
      await this.shared.put(ids.map((id) => ({ id, atMs: this.seen.get(id)!, value: null })));
    } catch (error) {
      for (const id of ids) this.unshared.add(id);
      throw error;
    }
  }

  /** Writes down what is new since the last time; what could not be written is tried again next time. */
  async save(): Promise<void> {
    const ids = [...this.unsaved];
    if (ids.length === 0) return;
    this.unsaved = new Set();
    try {
      await this.dataSource.query(
        `INSERT INTO provider_sightings (provider_id, last_seen_at_ms)
         SELECT * FROM unnest($1::text[], $2::bigint[])
         ON CONFLICT (provider_id) DO UPDATE
           SET last_seen_at_ms = greatest(provider_sightings.last_seen_at_ms, excluded.last_seen_at_ms)`,
        [ids, ids.map((id) => this.seen.get(id))],
      );
    } catch (error) {
      for (const id of ids) this.unsaved.add(id);
      throw error;
    }
  }
}

const withoutStore = (error: unknown): Map<string, Instant> => {
  if (isStoreTrouble(error)) return new Map();
  throw error;
};
