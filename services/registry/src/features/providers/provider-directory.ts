import { decodeCursor, type PageQuery, toPage } from '@gridbourse/api';
import { notFound } from '@gridbourse/kernel';
import { Injectable } from '@nestjs/common';
import { DataSource, In } from 'typeorm';
import type { z } from 'zod';
import { ProviderEntity } from '../../read-models/provider.entity.ts';
import { Sightings } from '../agents/sightings.ts';
import { type providerDto, toProviderDto } from './provider.dto.ts';

type ProviderDto = z.input<typeof providerDto>;

/** Providers as anybody may see them. */
@Injectable()
export class ProviderDirectory {
  constructor(
    private readonly dataSource: DataSource,
    private readonly sightings: Sightings,
  ) {}

  /** @throws DomainError `provider_not_found` */
  async byId(providerId: string): Promise<ProviderDto> {
    const provider = await this.dataSource.getRepository(ProviderEntity).findOneBy({ providerId });
    if (!provider) throw notFound('provider', providerId);
    return toProviderDto(provider, await this.sightings.lastSeenAtMs(providerId));
  }

  /** In the order of registration. */
  async list(query: PageQuery): Promise<{ items: ProviderDto[]; nextCursor: string | null }> {
    const after = decodeCursor(query.cursor, ['bigint', 'text']) ?? [-1, ''];
    const ids = await this.dataSource.query<{ provider_id: string; registered_at_ms: string }[]>(
      `SELECT provider_id, registered_at_ms FROM providers WHERE (registered_at_ms, provider_id) > ($1, $2)
       ORDER BY registered_at_ms, provider_id LIMIT $3`,
      [...after, query.limit + 1],
    );
    const rows = await this.dataSource
      .getRepository(ProviderEntity)
      .findBy({ providerId: In(ids.map((row) => row.provider_id)) });
    const byId = new Map(rows.map((row) => [row.providerId, row]));
    const seen = await this.sightings.lastSeenOf([...byId.keys()]);
    return toPage(
      ids,
      query.limit,
      (row) => [Number(row.registered_at_ms), row.provider_id],
      (row) => toProviderDto(byId.get(row.provider_id)!, seen.get(row.provider_id) ?? null),
    );
  }

  /**
   * A provider of this account.
   * @throws DomainError `provider_not_found`, also for another account's provider
   */
  async ownedBy(accountId: string, providerId: string): Promise<ProviderEntity> {
    const provider = await this.dataSource.getRepository(ProviderEntity).findOneBy({ providerId, accountId });
    if (!provider) throw notFound('provider', providerId);
    return provider;
  }
}
