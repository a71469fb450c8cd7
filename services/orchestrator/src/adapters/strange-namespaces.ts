import type { ProviderId } from '@gridbourse/kernel';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

/** Remembers, over restarts, since when a namespace with our label has had no lease that is known here. */
@Injectable()
export class StrangeNamespaces {
  constructor(private readonly dataSource: DataSource) {}

  async sinceWhen(providerId: ProviderId, namespace: string, nowMs: number): Promise<number> {
    const rows = await this.dataSource.query<{ first_seen_at_ms: string }[]>(
      `INSERT INTO strange_namespaces (provider_id, namespace, first_seen_at_ms) VALUES ($1, $2, $3)
       ON CONFLICT (provider_id, namespace) DO UPDATE SET namespace = excluded.namespace
       RETURNING first_seen_at_ms`,
      [providerId, namespace, nowMs],
    );
    return Number(rows[0]!.first_seen_at_ms);
  }

  /** Forgets those of the provider that are gone or known by now. */
  async keepOnly(providerId: ProviderId, namespaces: readonly string[]): Promise<void> {
    await this.dataSource.query(
      'DELETE FROM strange_namespaces WHERE provider_id = $1 AND NOT namespace = ANY($2::text[])',
      [providerId, namespaces],
    );
  }
}
