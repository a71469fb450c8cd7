import { CLOCK, SERVICE_CONFIG, TOKEN_ALGORITHM } from '@gridbourse/api';
import { type Clock, DomainError } from '@gridbourse/kernel';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import {
  calculateJwkThumbprint,
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
} from 'jose';
import { DataSource, type EntityManager } from 'typeorm';
import type { RegistryConfig } from '../registry.config.ts';
import { decryptKey, encryptKey, storedKey } from './key-encryption.ts';

type SigningKey = { readonly kid: string; readonly key: CryptoKey };
type Row = { kid: string; private_key: unknown };

const publicPart = ({ kty, crv, x, y }: JWK): JWK => ({ kty, crv, x, y }) as JWK;

/**
 * The key that access tokens are signed with. Public parts of earlier keys stay in the key set, so that a change of the
 * key ends no session.
 */
@Injectable()
export class SigningKeys implements OnModuleInit {
  private current: SigningKey | undefined;

  constructor(
    private readonly dataSource: DataSource,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(SERVICE_CONFIG) private readonly config: Pick<RegistryConfig, 'signingKey' | 'signingKeySecret'>,
  ) {}

  async onModuleInit(): Promise<void> {
    this.current = await this.dataSource.transaction(async (manager) => {
      // Two processes that start at once on an empty database must not make a key each.
      await manager.query(`SELECT pg_advisory_xact_lock(hashtextextended('gridbourse:signing-key', 0))`);
      return this.configured(manager);
    });
  }

  get signingKey(): SigningKey {
    if (!this.current)
      throw new DomainError('unavailable', 'not_started', 'the signing key is not loaded yet');
    return this.current;
  }

  /** Every public key that tokens may be signed with, newest first. */
  async publicKeys(): Promise<JWK[]> {
    const rows = await this.dataSource.query<{ kid: string; public_key: JWK }[]>(
      'SELECT kid, public_key FROM signing_keys ORDER BY created_at_ms DESC, kid LIMIT 20',
    );
    return rows.map((row) => ({ ...row.public_key, kid: row.kid, alg: TOKEN_ALGORITHM, use: 'sig' }));
  }

  private async configured(manager: EntityManager): Promise<SigningKey> {
    const { signingKey, signingKeySecret } = this.config;
    if (signingKey) {
      const jwk = signingKey as JWK;
      if (jwk.kty !== 'EC' || jwk.crv !== 'P-256' || typeof jwk.d !== 'string') {
        throw new DomainError(
          'invalid',
          'invalid_config',
          '/signingKey: expected a private JWK with kty EC and crv P-256',
        );
      }
      const kid = await calculateJwkThumbprint(publicPart(jwk));
      await this.keep(manager, kid, jwk, null);
      return { kid, key: (await importJWK(jwk, TOKEN_ALGORITHM)) as CryptoKey };
    }
    const [newest] = await manager.query<Row[]>(
      `SELECT kid, private_key FROM signing_keys WHERE private_key IS NOT NULL
       ORDER BY created_at_ms DESC, kid LIMIT 1`,
    );
    if (newest) {
      const jwk = decryptKey(storedKey.parse(newest.private_key), signingKeySecret) as JWK;
      return { kid: newest.kid, key: (await importJWK(jwk, TOKEN_ALGORITHM)) as CryptoKey };
    }
    const { privateKey } = await generateKeyPair(TOKEN_ALGORITHM, { extractable: true });
    const jwk = await exportJWK(privateKey);
    const kid = await calculateJwkThumbprint(publicPart(jwk));
    await this.keep(manager, kid, jwk, encryptKey(jwk, signingKeySecret));
    return { kid, key: privateKey };
  }

  private async keep(manager: EntityManager, kid: string, jwk: JWK, stored: unknown): Promise<void> {
    await manager.query(
      `INSERT INTO signing_keys (kid, public_key, private_key, created_at_ms) VALUES ($1, $2, $3, $4)
       ON CONFLICT (kid) DO NOTHING`,
      [
        kid,
        JSON.stringify(publicPart(jwk)),
        stored === null ? null : JSON.stringify(stored),
        this.clock.now(),
      ],
    );
  }
}
