import {
  CLOCK,
  SERVICE_CONFIG,
  TOKEN_ALGORITHM,
  TOKEN_AUDIENCE,
  TOKEN_ISSUER,
  USER_SCOPES,
} from '@gridbourse/api';
import type { Clock, Instant } from '@gridbourse/kernel';
import { Inject, Injectable } from '@nestjs/common';
import { SignJWT } from 'jose';
import { SigningKeys } from '../../adapters/signing-keys.ts';
import type { RegistryConfig } from '../../registry.config.ts';

/** Access tokens: short, checked by every service on its own with our public keys. */
@Injectable()
export class AccessTokens {
  constructor(
    private readonly keys: SigningKeys,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(SERVICE_CONFIG)
    private readonly config: Pick<RegistryConfig, 'accessTokenSeconds' | 'operatorWallets'>,
  ) {}

  async issue(account: {
    accountId: string;
    wallet: string;
  }): Promise<{ accessToken: string; expiresAtMs: Instant }> {
    const { kid, key } = this.keys.signingKey;
    const issuedAtSeconds = Math.floor(this.clock.now() / 1_000);
    const expiresAtSeconds = issuedAtSeconds + this.config.accessTokenSeconds;
    const accessToken = await new SignJWT({ wallet: account.wallet, scopes: this.scopesOf(account.wallet) })
      .setProtectedHeader({ alg: TOKEN_ALGORITHM, kid, typ: 'JWT' })
      .setIssuer(TOKEN_ISSUER)
      .setAudience(TOKEN_AUDIENCE)
      .setSubject(account.accountId)
      .setIssuedAt(issuedAtSeconds)
      .setExpirationTime(expiresAtSeconds)
      .sign(key);
    return { accessToken, expiresAtMs: expiresAtSeconds * 1_000 };
  }

  private scopesOf(wallet: string): string[] {
    return this.config.operatorWallets.includes(wallet) ? [...USER_SCOPES, 'operator'] : [...USER_SCOPES];
  }
}
