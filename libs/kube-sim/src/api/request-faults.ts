import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FaultEffect, FaultPlan } from '../faults.ts';
import { DEPLOYMENTS } from '../kinds.ts';
import { ApiError, conflict, MODIFIED } from './status.ts';

/** Whether a fault can strike this kind of request at all. */
export const canStrike = (effect: FaultEffect, method: string, path: string, watching: boolean): boolean => {
  switch (effect.kind) {
    case 'drop-watch':
    case 'silent-watch':
      return watching;
    case 'conflict':
      return method === 'PUT' || method === 'PATCH';
    case 'partial-list':
      return method === 'GET' && !watching && /^\/apis?\//.test(path);
    default:
      return true;
  }
};

const REASONS: Readonly<Record<number, string>> = {
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

const injected = ({ status, retryAfterSeconds }: Extract<FaultEffect, { kind: 'error' }>): ApiError => {
  const retry = retryAfterSeconds ?? (status === 429 ? 1 : undefined);
  const message =
    status === 429
      ? 'the server has received too many requests and has asked us to try again later'
      : 'injected fault';
  const details = retry === undefined ? undefined : { retryAfterSeconds: retry };
  return new ApiError(status, REASONS[status] ?? 'Unknown', message, details);
};

/**
 * What happens to a request before it is looked at.
 * @returns true when it is over already
 * @throws ApiError the refusal that was asked for
 */
export const sufferFaults = async (
  effects: readonly FaultEffect[],
  plan: FaultPlan,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<boolean> => {
  for (const effect of effects) {
    if (effect.kind !== 'latency') continue;
    const ms = effect.ms + plan.chance() * (effect.jitterMs ?? 0);
    await new Promise((resolve) => setTimeout(resolve, ms));
  }
  for (const effect of effects) {
    if (effect.kind === 'hang') return true;
    if (effect.kind === 'reset' && effect.when === 'before') {
      request.socket.destroy();
      response.destroy();
      return true;
    }
    if (effect.kind === 'error') throw injected(effect);
    if (effect.kind === 'conflict') throw conflict(DEPLOYMENTS, 'any', MODIFIED);
  }
  return false;
};

/** A list of which some items are missing, without a word about it. */
export const withoutSome = (body: unknown, effects: readonly FaultEffect[]): unknown => {
  const partial = effects.find((effect) => effect.kind === 'partial-list');
  const { items } = body as { items?: unknown[] };
  if (!partial || !Array.isArray(items)) return body;
  return { ...(body as object), items: items.slice(0, Math.floor(items.length * partial.keep)) };
};
