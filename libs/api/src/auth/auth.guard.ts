import { type Clock, DomainError } from '@gridbourse/kernel';
import { Metadata } from '@grpc/grpc-js';
import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import type { BaseConfig } from '../service/base-config.ts';
import { CLOCK, SERVICE_CONFIG } from '../service/tokens.ts';
import { AccountDirectory } from './account-directory.ts';

import { type Caller, rememberCaller } from './caller.ts';
import { PUBLIC_ROUTE } from './public.decorator.ts';
import { REQUIRED_SCOPES } from './require-scopes.decorator.ts';
import type { Scope } from './scopes.ts';
import { API_KEY_PATTERN, hashApiKey } from './token-format.ts';
import { remoteKeys, TokenVerifier } from './token-verifier.ts';

/** Every HTTP route and gRPC call needs a proven caller unless it is marked public. */
@Injectable()
export class AuthGuard implements CanActivate {
  private readonly tokens: TokenVerifier;

  constructor(
    private readonly reflector: Reflector,
    private readonly directory: AccountDirectory,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(SERVICE_CONFIG) config: Pick<BaseConfig, 'jwksUrl'>,
  ) {
    this.tokens = new TokenVerifier(remoteKeys(config.jwksUrl), clock);
  }

  /** @throws DomainError `missing_credentials`, `invalid_token`, `expired_token`, `revoked_key`, `missing_scope` */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const carrier: unknown = context.getType() === 'rpc' ? context.switchToRpc().getContext() : undefined;
    if (context.getType() === 'rpc' && !(carrier instanceof Metadata)) return true; // an event of the bus
    const places = [context.getHandler(), context.getClass()];
    if (this.reflector.getAllAndOverride<boolean | undefined>(PUBLIC_ROUTE, places)) return true;
    const header =
      carrier instanceof Metadata
        ? carrier.get('authorization')[0]?.toString()
        : context.switchToHttp().getRequest<FastifyRequest>().headers.authorization;
    const caller = await this.identify(header);
    const required = this.reflector.getAllAndOverride<Scope[] | undefined>(REQUIRED_SCOPES, places) ?? [];
    const missing = required.filter((scope) => !caller.scopes.includes(scope));
    if (missing.length > 0) {
      throw new DomainError('forbidden', 'missing_scope', `this needs the scope ${missing.join(' and ')}`);
    }
    rememberCaller(context, caller);
    return true;
  }

  private async identify(header: string | undefined): Promise<Caller> {
    if (header === undefined || header === '') {
      throw new DomainError(
        'unauthenticated',
        'missing_credentials',
        'this needs an access token or an API key',
      );
    }
    const credential = /^Bearer +(\S+)$/i.exec(header)?.[1];
    if (credential === undefined) {
      throw new DomainError(
        'unauthenticated',
        'invalid_token',
        'expected the header "Authorization: Bearer …"',
      );
    }
    return credential.startsWith('gbk_') ? this.byApiKey(credential) : this.tokens.verify(credential);
  }

  private async byApiKey(text: string): Promise<Caller> {
    const key = API_KEY_PATTERN.test(text) ? await this.directory.keyByHash(hashApiKey(text)) : null;
    if (!key) throw new DomainError('unauthenticated', 'invalid_token', 'the API key is not one of ours');
    if (key.revokedAtMs !== null)
      throw new DomainError('unauthenticated', 'revoked_key', 'the API key was revoked');
    if (key.expiresAtMs !== null && key.expiresAtMs <= this.clock.now()) {
      throw new DomainError('unauthenticated', 'expired_token', 'the API key has expired');
    }
    return { accountId: key.accountId, wallet: key.wallet, scopes: key.scopes, via: 'api_key' };
  }
}
