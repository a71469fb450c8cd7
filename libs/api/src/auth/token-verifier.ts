import { type Clock, DomainError } from '@gridbourse/kernel';
import { createRemoteJWKSet, errors, jwtVerify, type JWTVerifyGetKey } from 'jose';
import { z } from 'zod';
import type { Caller } from './caller.ts';
import { MAX_TOKEN_AGE_SECONDS, TOKEN_ALGORITHM, TOKEN_AUDIENCE, TOKEN_ISSUER } from './token-format.ts';

const MAX_TOKEN_CHARS = 4_096;
/** Clocks of two machines may differ by so much. */
const CLOCK_TOLERANCE_SECONDS = 5;

const claims = z.object({
  sub: z.string().min(1).max(60),
  wallet: z.string().regex(/^0x[0-9a-f]{40}$/),
  scopes: z.array(z.string().max(60)).max(50),
  exp: z.number(),
});

/** The registry's public keys: fetched when first needed and on an unknown key id, kept ten minutes. */
export const remoteKeys = (jwksUrl: string): JWTVerifyGetKey =>
  createRemoteJWKSet(new URL(jwksUrl), {
    timeoutDuration: 3_000,
    cooldownDuration: 5_000,
    cacheMaxAge: 600_000,
  });

const refused = (code: string, message: string): DomainError =>
  new DomainError('unauthenticated', code, message);

/** The key set could not be read, so nothing is known about the token: neither valid nor invalid. */
const keysAway = (error: unknown): boolean =>
  !(error instanceof errors.JOSEError) ||
  error instanceof errors.JWKSTimeout ||
  error instanceof errors.JWKSInvalid ||
  error.code === 'ERR_JOSE_GENERIC';

/** Checks access tokens: ES256, our issuer and audience, at most 15 minutes old. */
export class TokenVerifier {
  constructor(
    private readonly keys: JWTVerifyGetKey,
    private readonly clock: Clock,
  ) {}

  /** @throws DomainError `invalid_token`, `expired_token`, or `keys_unavailable` (may pass later). */
  async verify(token: string): Promise<Caller> {
    if (token.length > MAX_TOKEN_CHARS) throw refused('invalid_token', 'the access token is not one of ours');
    try {
      const { payload } = await jwtVerify(token, this.keys, {
        algorithms: [TOKEN_ALGORITHM],
        issuer: TOKEN_ISSUER,
        audience: TOKEN_AUDIENCE,
        requiredClaims: ['sub', 'exp', 'iat'],
        maxTokenAge: MAX_TOKEN_AGE_SECONDS,
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        currentDate: new Date(this.clock.now()),
      });
      const { sub, wallet, scopes } = claims.parse(payload);
      return { accountId: sub, wallet, scopes, via: 'token' };
    } catch (error) {
      if (error instanceof errors.JWTExpired) throw refused('expired_token', 'the access token has expired');
      if (error instanceof z.ZodError)
        throw refused('invalid_token', 'the access token lacks claims of ours');
      if (keysAway(error)) {
        throw new DomainError(
          'unavailable',
          'keys_unavailable',
          'the keys that tokens are checked with cannot be read',
          {
            cause: error,
          },
        );
      }
      throw refused('invalid_token', 'the access token is not one of ours');
    }
  }
}
