import type { Instant } from '@gridbourse/kernel';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

type Row = { provider_id: string; last_seen_at_ms: string };

/** When each provider was heard of last: at once in memory, every few seconds in the database. */
@Injectable()
export class Sightings {
  private readonly seen = new Map<string, Instant>();
  private unsaved = new Set<string>();

  constructor(private readonly dataSource: DataSource) {}

  note(providerId: string, atMs: Instant): void {
    this.seen.set(providerId, atMs);
    this.unsaved.add(providerId);
  }

  async lastSeenAtMs(providerId: string): Promise<Instant | null> {
    return (await this.lastSeenOf([providerId])).get(providerId) ?? null;
  }

  /** Of those that were ever seen. */
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
    const known = new Map<string, Instant>();
    for (const id of providerIds) {
      const atMs = this.seen.get(id) ?? stored.get(id);
      if (atMs !== undefined) known.set(id, atMs);
    }
    return known;
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
