import { Transport } from './http.ts';
import { orderTimeline } from './timeline.ts';
import type {
  Account,
  Books,
  Escrow,
  Explanation,
  IssuedKey,
  Lease,
  ManifestRequest,
  Offer,
  Order,
  OrderRequest,
  Page,
  Provider,
  Quote,
  TimelineItem,
  Tokens,
  UsageWindow,
  Workload,
} from './types.ts';

/** What a wallet must be able to do: sign a text (EIP-191). */
export type MessageSigner = { address: string; signMessage(message: string): Promise<string> };

export type ClientAuth =
  { apiKey: string } | { tokens: Tokens; onTokens?: (tokens: Tokens) => void } | { none: true };

export type ClientOptions = {
  /** `https://…` without a path. */
  origin: string;
  auth: ClientAuth;
  fetch?: typeof fetch;
  /** How long one call goes on trying, milliseconds; 30,000 unless said. */
  deadlineMs?: number;
};

type ListOptions = { limit?: number; cursor?: string };

const query = (values: Record<string, string | number | boolean | undefined>): string => {
  const parts = Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
  return parts.length === 0 ? '' : `?${parts.join('&')}`;
};

/** Renewed this long before they run out. */
const RENEW_BEFORE_MS = 30_000;

/** The platform's REST API. Every method throws ApiError or UnreachableError; writes are tried again safely. */
export class GridbourseClient {
  private readonly transport: Transport;
  private auth: ClientAuth;
  private renewing: Promise<void> | undefined;

  constructor(private readonly options: ClientOptions) {
    this.auth = options.auth;
    this.transport = new Transport({
      origin: options.origin.replace(/\/+$/, ''),
      authorization: () => this.authorization(),
      ...(options.fetch === undefined ? {} : { fetch: options.fetch }),
      ...(options.deadlineMs === undefined ? {} : { deadlineMs: options.deadlineMs }),
    });
  }

  /** Sign-In with Ethereum (EIP-4361): asks for a nonce, has the wallet sign, and takes the tokens into use. */
  async signIn(signer: MessageSigner, makeMessage: (fields: SignInFields) => string): Promise<Tokens> {
    const anonymous = new GridbourseClient({ ...this.options, auth: { none: true } });
    const fields = await anonymous.transport.json<SignInFields>('/v1/auth/nonce', {
      method: 'POST',
      body: {},
      idempotencyKey: crypto.randomUUID(),
    });
    const message = makeMessage(fields);
    const tokens = await anonymous.transport.json<Tokens>('/v1/auth/login', {
      method: 'POST',
      body: { message, signature: await signer.signMessage(message) },
    });
    this.auth = { tokens };
    return tokens;
  }

  account(): Promise<Account> {
    return this.transport.json('/v1/accounts/me');
  }

  createApiKey(name: string, options: { scopes?: string[]; expiresInSeconds?: number } = {}): Promise<IssuedKey> {
    return this.post('/v1/api-keys', { name, ...options });
  }

  quote(request: ManifestRequest): Promise<Quote> {
    return this.post('/v1/quotes', request);
  }

  /** @param idempotencyKey the same key gives the same order, also in another process */
  createOrder(request: OrderRequest, idempotencyKey: string = crypto.randomUUID()): Promise<Order> {
    return this.post('/v1/orders', request, idempotencyKey);
  }

  order(orderId: string): Promise<Order> {
    return this.transport.json(`/v1/orders/${orderId}`);
  }

  orders(options: ListOptions & { state?: string } = {}): Promise<Page<Order>> {
    return this.transport.json(`/v1/orders${query(options)}`);
  }

  cancelOrder(orderId: string): Promise<Order> {
    return this.post(`/v1/orders/${orderId}/cancel`, {});
  }

  explanation(orderId: string): Promise<Explanation> {
    return this.transport.json(`/v1/orders/${orderId}/explanation`);
  }

  timeline(orderId: string, signal?: AbortSignal): AsyncGenerator<TimelineItem> {
    return orderTimeline(this.transport, orderId, signal);
  }

  lease(leaseId: string): Promise<Lease> {
    return this.transport.json(`/v1/leases/${leaseId}`);
  }

  leases(options: ListOptions & { state?: string; orderId?: string } = {}): Promise<Page<Lease>> {
    return this.transport.json(`/v1/leases${query(options)}`);
  }

  closeLease(leaseId: string): Promise<Lease> {
    return this.post(`/v1/leases/${leaseId}/close`, {});
  }

  workload(leaseId: string): Promise<Workload> {
    return this.transport.json(`/v1/workloads/${leaseId}`);
  }

  logs(leaseId: string, options: { service?: string; replica?: number; tail?: number } = {}): Promise<string> {
    return this.transport.text(`/v1/workloads/${leaseId}/logs${query(options)}`, { headers: { accept: 'text/plain' } });
  }

  escrow(): Promise<Escrow> {
    return this.transport.json('/v1/escrow');
  }

  usage(leaseId: string, options: ListOptions = {}): Promise<Page<UsageWindow>> {
    return this.transport.json(`/v1/usage${query({ leaseId, ...options })}`);
  }

  books(): Promise<Books> {
    return this.transport.json('/v1/books');
  }

  providers(options: ListOptions = {}): Promise<Page<Provider>> {
    return this.transport.json(`/v1/providers${query(options)}`);
  }

  offers(options: ListOptions & { model?: string; region?: string } = {}): Promise<Page<Offer>> {
    return this.transport.json(`/v1/offers${query(options)}`);
  }

  /** Every item of a paged list. */
  async *all<T>(list: (options: { cursor?: string }) => Promise<Page<T>>): AsyncGenerator<T> {
    let cursor: string | null = null;
    do {
      const page: Page<T> = await list(cursor === null ? {} : { cursor });
      yield* page.items;
      cursor = page.nextCursor;
    } while (cursor !== null);
  }

  private post<T>(path: string, body: unknown, idempotencyKey: string = crypto.randomUUID()): Promise<T> {
    return this.transport.json(path, { method: 'POST', body, idempotencyKey });
  }

  private async authorization(): Promise<string | undefined> {
    if ('none' in this.auth) return undefined;
    if ('apiKey' in this.auth) return `Bearer ${this.auth.apiKey}`;
    if (Date.parse(this.auth.tokens.accessExpiresAt) - Date.now() < RENEW_BEFORE_MS) {
      this.renewing ??= this.renew().finally(() => {
        this.renewing = undefined;
      });
      await this.renewing;
    }
    return `Bearer ${this.auth.tokens.accessToken}`;
  }

  private async renew(): Promise<void> {
    if (!('tokens' in this.auth)) return;
    const { tokens, onTokens } = this.auth;
    const anonymous = new GridbourseClient({ ...this.options, auth: { none: true } });
    const renewed = await anonymous.transport.json<Tokens>('/v1/auth/refresh', {
      method: 'POST',
      body: { refreshToken: tokens.refreshToken },
    });
    this.auth = onTokens === undefined ? { tokens: renewed } : { tokens: renewed, onTokens };
    onTokens?.(renewed);
  }
}

export type SignInFields = { nonce: string; domain: string; uri: string; chainId: number; expiresAt: string };
