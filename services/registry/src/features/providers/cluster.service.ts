import { CLOCK, SERVICE_CONFIG } from '@gridbourse/api';
import type { Clock, ProviderId } from '@gridbourse/kernel';
import { seal } from '@gridbourse/sealing';
import { Inject, Injectable } from '@nestjs/common';
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { DataSource } from 'typeorm';
import { Aggregates } from '../../aggregates/aggregates.ts';
import { providers } from '../../aggregates/registry-aggregates.ts';
import type { ProviderCommand } from '../../domain/provider.ts';
import type { RegistryConfig } from '../../registry.config.ts';
import { apiServerOf } from './kubeconfig.ts';

type Row = { sealing_key_id: string; salt: Buffer; digest: Buffer };

const DIGEST_BYTES = 32;
const slowHash = promisify<string, Buffer, number, Buffer>(scrypt);

/** Takes a provider's kubeconfig, seals it to the orchestrator, and keeps nothing that could open it. */
@Injectable()
export class Clusters {
  constructor(
    private readonly dataSource: DataSource,
    private readonly aggregates: Aggregates,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(SERVICE_CONFIG) private readonly config: Pick<RegistryConfig, 'orchestratorSealingPublicKey'>,
  ) {}

  /**
   * The same kubeconfig again publishes nothing, unless the orchestrator's key has changed since.
   * @throws DomainError `invalid_kubeconfig`
   */
  async attach(providerId: ProviderId, kubeconfig: string): Promise<void> {
    const apiServer = apiServerOf(kubeconfig);
    const { keyId, publicKey } = this.config.orchestratorSealingPublicKey;
    if (await this.isAttached(providerId, keyId, kubeconfig)) return;
    const box = await seal(publicKey, kubeconfig, providerId);
    const salt = randomBytes(16);
    const digest = await slowHash(kubeconfig, salt, DIGEST_BYTES);
    const atMs = this.clock.now();
    await this.aggregates.execute(providers, providerId, async (manager): Promise<ProviderCommand[]> => {
      await manager.query(
        `INSERT INTO provider_clusters (provider_id, sealing_key_id, salt, digest, attached_at_ms)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (provider_id) DO UPDATE SET sealing_key_id = excluded.sealing_key_id, salt = excluded.salt,
           digest = excluded.digest, attached_at_ms = excluded.attached_at_ms`,
        [providerId, keyId, salt, digest, atMs],
      );
      return [{ type: 'AttachCluster', apiServer, kubeconfig: box, atMs }];
    });
  }

  private async isAttached(providerId: string, keyId: string, kubeconfig: string): Promise<boolean> {
    const [row] = await this.dataSource.query<Row[]>(
      'SELECT sealing_key_id, salt, digest FROM provider_clusters WHERE provider_id = $1',
      [providerId],
    );
    if (row?.sealing_key_id !== keyId) return false;
    return timingSafeEqual(await slowHash(kubeconfig, row.salt, DIGEST_BYTES), row.digest);
  }
}
