import { type KeyValue, type RateDecision, RateLimiter } from '@gridbourse/key-value';
import type { Counter, Meter } from '@gridbourse/observability';
import { Metadata } from '@grpc/grpc-js';
import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { callerOf } from '../auth/caller.ts';
import type { BaseConfig } from '../service/base-config.ts';
import { KEY_VALUE, METER, SERVICE_CONFIG, SERVICE_NAME } from '../service/tokens.ts';
import { addressSubject } from './client-address.ts';
import { RATE_CLASS, type RateClass } from './rate-class.decorator.ts';
import { rateLimitHeaders } from './rate-limit-headers.ts';
import { RateLimited } from './rate-limited.ts';
import type { RateLimits } from './rate-limits.config.ts';

/** How callers see the names of the policies. */
const POLICY_NAMES: Record<keyof RateLimits, string> = {
  reads: 'reads',
  writes: 'writes',
  signIn: 'sign-in',
};
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);
const READING_CALL = /^(get|list|watch|explain|quote)/i;

/**
 * Comes after the guard that finds out who asks. An account has one budget for all its tokens and keys; whoever is not
 * known is counted by address. Public calls over gRPC are not counted: behind the public port they have one address.
 */
@Injectable()
export class RateLimitGuard implements CanActivate {
  private readonly limiters: Record<keyof RateLimits, RateLimiter>;
  private readonly decisions: Counter;

  constructor(
    private readonly reflector: Reflector,
    @Inject(KEY_VALUE) store: KeyValue,
    @Inject(SERVICE_CONFIG) config: Pick<BaseConfig, 'rateLimits'>,
    @Inject(SERVICE_NAME) service: string,
    @Inject(METER) meter: Meter,
  ) {
    this.decisions = meter.createCounter('gridbourse_rate_limit_decisions', {
      description:
        'Requests by policy and result: allowed, refused, uncounted (the key-value store was away)',
    });
    const limiterOf = (name: keyof RateLimits): RateLimiter => {
      const { quota, windowSeconds } = config.rateLimits[name];
      const policy = { name: POLICY_NAMES[name], quota, windowMs: windowSeconds * 1_000 };
      return new RateLimiter(store, `${service}/rate`, policy, () => undefined);
    };
    this.limiters = {
      reads: limiterOf('reads'),
      writes: limiterOf('writes'),
      signIn: limiterOf('signIn'),
    };
  }

  /** @throws DomainError `rate_limited` */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const rateClass = this.classOf(context);
    const subject = this.subjectOf(context);
    if (rateClass === 'unlimited' || subject === undefined) return true;
    const decision = await this.limiters[rateClass].spend(subject);
    this.decisions.add(1, { policy: decision.policy.name, result: resultOf(decision) });
    if (context.getType() === 'http') {
      void context.switchToHttp().getResponse<FastifyReply>().headers(rateLimitHeaders(decision));
    }
    if (!decision.allowed) throw new RateLimited(decision.policy.name, decision.retryAfterMs);
    return true;
  }

  private classOf(context: ExecutionContext): RateClass {
    const handler = context.getHandler();
    const named = this.reflector.getAllAndOverride<RateClass | undefined>(RATE_CLASS, [
      handler,
      context.getClass(),
    ]);
    if (named !== undefined) return named;
    const reads =
      context.getType() === 'http'
        ? SAFE_METHODS.has(context.switchToHttp().getRequest<FastifyRequest>().method)
        : READING_CALL.test(handler.name);
    return reads ? 'reads' : 'writes';
  }

  /** Undefined for what is not counted: events of the bus, and public calls over gRPC. */
  private subjectOf(context: ExecutionContext): string | undefined {
    if (context.getType() !== 'http') {
      const carrier: unknown = context.switchToRpc().getContext();
      return carrier instanceof Metadata ? callerOf(context)?.accountId : undefined;
    }
    const { ip } = context.switchToHttp().getRequest<FastifyRequest>();
    return callerOf(context)?.accountId ?? addressSubject(ip);
  }
}

const resultOf = ({ allowed, enforced }: RateDecision): 'allowed' | 'refused' | 'uncounted' => {
  if (!enforced) return 'uncounted';
  return allowed ? 'allowed' : 'refused';
};
