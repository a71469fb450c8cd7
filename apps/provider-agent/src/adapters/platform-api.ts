import { randomUUID } from 'node:crypto';
import { DomainError } from '@gridbourse/kernel';
import { Wallet } from 'ethers';
import { SiweMessage } from 'siwe';
import { z } from 'zod';
import type { AgentConfig } from '../config.ts';
import type { OpenAuction, PlannedBid } from '../domain/bids.ts';
import type { OfferRequest } from '../domain/offers.ts';

const DEADLINE_MS = 15_000;

const nonceAnswer = z.object({ nonce: z.string(), domain: z.string(), uri: z.string(), chainId: z.int() });
const loginAnswer = z.object({ accessToken: z.string() });
const providerAnswer = z.object({ providerId: z.string() });
const money = z.object({
  micros: z
    .string()
    .regex(/^\d{1,20}$/)
    .transform(BigInt),
});
/** The parts of GET /v1/auctions that a bid is made from. */
const auctionsAnswer = z.object({
  items: z.array(
    z.object({
      orderId: z.string(),
      groups: z.array(
        z.object({
          group: z.string(),
          maxRate: money,
          offers: z.array(
            z.object({
              offerId: z.string(),
              listRate: money,
              bid: z.object({ rate: money }).nullable(),
            }),
          ),
        }),
      ),
    }),
  ),
});

const problem = z.object({
  code: z.string().optional(),
  detail: z.string().optional(),
  title: z.string().optional(),
});

const KINDS: Record<number, 'unauthenticated' | 'forbidden' | 'not_found' | 'conflict' | 'exhausted'> = {
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not_found',
  409: 'conflict',
  429: 'exhausted',
};

/** The platform's REST API, signed in as the provider's wallet. */
export class PlatformApi {
  private readonly origin: string;
  private readonly wallet: Wallet;
  private accessToken = '';

  constructor(origin: string, walletKey: string) {
    this.origin = origin.replace(/\/+$/, '');
    this.wallet = new Wallet(walletKey);
  }

  /** Sign-In with Ethereum. Refuses to sign for any other place than the one it was told to talk to. */
  async signIn(): Promise<void> {
    const given = await this.call('POST', '/v1/auth/nonce', nonceAnswer, {});
    const { host } = new URL(this.origin);
    if (given.domain !== host) {
      throw new DomainError(
        'invalid',
        'wrong_domain',
        `the platform at ${host} asks to sign in to ${given.domain}`,
      );
    }
    const message = new SiweMessage({
      domain: given.domain,
      address: this.wallet.address,
      statement: 'Sign in to Gridbourse as a provider.',
      uri: given.uri,
      version: '1',
      chainId: given.chainId,
      nonce: given.nonce,
    }).prepareMessage();
    const signature = await this.wallet.signMessage(message);
    const { accessToken } = await this.call('POST', '/v1/auth/login', loginAnswer, { message, signature });
    this.accessToken = accessToken;
  }

  /** The first registration of a wallet counts; later ones give the same provider. */
  async register(provider: AgentConfig['provider']): Promise<string> {
    return (await this.call('POST', '/v1/providers', providerAnswer, provider)).providerId;
  }

  async attachCluster(providerId: string, kubeconfig: string): Promise<void> {
    await this.call('PUT', `/v1/providers/${providerId}/cluster`, z.unknown(), { kubeconfig });
  }

  async publishOffer(providerId: string, offer: OfferRequest): Promise<string> {
    const answer = z.object({ offerId: z.string() });
    return (await this.call('POST', `/v1/providers/${providerId}/offers`, answer, offer)).offerId;
  }

  async withdrawOffer(providerId: string, offerId: string): Promise<void> {
    try {
      await this.call('DELETE', `/v1/providers/${providerId}/offers/${offerId}`, z.unknown());
    } catch (error) {
      if (!(error instanceof DomainError && error.kind === 'not_found')) throw error;
    }
  }

  /** Auctions that an offer of ours could serve; where there is none, the answer may come so many seconds later. */
  async auctions(waitSeconds: number, signal: AbortSignal): Promise<readonly OpenAuction[]> {
    const answer = await this.call('GET', '/v1/auctions', auctionsAnswer, undefined, {
      headers: { prefer: `wait=${waitSeconds}` },
      deadlineMs: waitSeconds * 1_000 + DEADLINE_MS,
      signal,
    });
    return answer.items;
  }

  async placeBid(bid: PlannedBid, signal: AbortSignal): Promise<void> {
    await this.call('POST', '/v1/bids', z.unknown(), bid, { signal });
  }

  private async call<T>(
    method: string,
    path: string,
    schema: z.ZodType<T>,
    body?: unknown,
    options: { headers?: Record<string, string>; deadlineMs?: number; signal?: AbortSignal } = {},
  ): Promise<T> {
    const deadline = AbortSignal.timeout(options.deadlineMs ?? DEADLINE_MS);
    let response: Response;
    try {
      response = await fetch(`${this.origin}${path}`, {
        method,
        headers: {
          accept: 'application/json',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(this.accessToken === '' ? {} : { authorization: `Bearer ${this.accessToken}` }),
          ...(method === 'POST' ? { 'idempotency-key': randomUUID() } : {}),
          ...options.headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        redirect: 'error',
        signal: options.signal ? AbortSignal.any([deadline, options.signal]) : deadline,
      });
    } catch (error) {
      throw new DomainError('unavailable', 'platform_unreachable', `no answer from ${this.origin}${path}`, {
        cause: error,
      });
    }
    const text = await response.text();
    const json: unknown = text === '' ? undefined : parseJson(text);
    if (!response.ok) {
      const { code, detail, title } = problem.safeParse(json).data ?? {};
      const kind = KINDS[response.status] ?? (response.status < 500 ? 'invalid' : 'unavailable');
      throw new DomainError(
        kind,
        code ?? 'platform_refused',
        `${method} ${path}: ${response.status} ${detail ?? title ?? ''}`,
      );
    }
    const parsed = schema.safeParse(json);
    if (parsed.success) return parsed.data;
    throw new DomainError(
      'internal',
      'unexpected_answer',
      `${method} ${path}: ${parsed.error.issues[0]?.message}`,
    );
  }
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};
