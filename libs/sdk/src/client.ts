import { type Clock, type Random, systemClock } from '@gridbourse/kernel';
import { type RequestOptions, Transport } from './http.ts';
import { type ClientAuth, Session } from './session.ts';
import { type MessageSigner, type SignInFields, signInMessage } from './sign-in.ts';
import { followedLog, orderTimeline } from './timeline.ts';
import type {
  Account,
  ApiKey,
  Bid,
  BidRequest,
  BidState,
  Books,
  Break,
  BusLag,
  Chain,
  DeadLetter,
  DeadLetterWithRecord,
  Escrow,
  EscrowEntry,
  Invoice,
  IssuedKey,
  Lease,
  LogOptions,
  ManifestRequest,
  Offer,
  OfferFilter,
  OfferRequest,
  OpenAuction,
  Order,
  OrderExplanation,
  OrderRequest,
  Page,
  Provider,
  ProviderRequest,
  Quote,
  ReadModel,
  Settlement,
  TimelineItem,
  Tokens,
  UsageWindow,
  Workload,
  WorkloadEvent,
} from './types/index.ts';

export type ClientOptions = {
  /** `https://…` without a path. */
  origin: string;
  auth: ClientAuth;
  fetch?: typeof fetch;
  clock?: Clock;
  random?: Random;
  /** How long one call goes on trying, milliseconds; 30,000 unless said. */
  deadlineMs?: number;
  /** How long one try may take, milliseconds; 15,000 unless said. */
  attemptMs?: number;
};

type ListOptions = { limit?: number; cursor?: string };
type QueryValue = string | number | boolean | undefined;

/** A path whose parameters are encoded: an id with a slash in it leads nowhere else. */
const path = (parts: TemplateStringsArray, ...values: string[]): string =>
  parts.reduce((text, part, i) => `${text}${encodeURIComponent(values[i - 1]!)}${part}`);

const withQuery = (base: string, values: Record<string, QueryValue>): string => {
  const parts = Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
  return parts.length === 0 ? base : `${base}?${parts.join('&')}`;
};

/**
 * The platform's REST API. Every method throws ApiError (the platform refused) or UnreachableError (no usable answer in
 * time). Writes carry an Idempotency-Key and are tried again safely.
 */
export class GridbourseClient {
  private readonly transport: Transport;
  private readonly session: Session;
  private readonly clock: Clock;

  constructor(private readonly options: ClientOptions) {
    this.clock = options.clock ?? systemClock;
    this.session = new Session(options.auth, this.clock, (refreshToken) =>
      this.anonymous().transport.json<Tokens>('/v1/auth/refresh', { method: 'POST', body: { refreshToken } }),
    );
    const { auth: _auth, ...transportOptions } = options;
    this.transport = new Transport({
      ...transportOptions,
      origin: options.origin.replace(/\/+$/, ''),
      authorization: () => this.session.authorization(),
      renewAuthorization: () => this.session.renewAuthorization(),
    });
  }

  /**
   * Sign-In with Ethereum (EIP-4361): asks for a nonce, has the wallet sign, and takes the tokens into use.
   * @param makeMessage for wallets that want to word the message themselves
   */
  async signIn(
    signer: MessageSigner,
    makeMessage: (fields: SignInFields) => string = (fields) =>
      signInMessage(fields, signer.address, this.clock),
  ): Promise<Tokens> {
    const { transport } = this.anonymous();
    const fields = await transport.json<SignInFields>('/v1/auth/nonce', {
      method: 'POST',
      body: {},
      // A nonce that nobody uses costs nothing: asking twice is safe.
      idempotencyKey: crypto.randomUUID(),
    });
    const message = makeMessage(fields);
    const tokens = await transport.json<Tokens>('/v1/auth/login', {
      method: 'POST',
      body: { message, signature: await signer.signMessage(message) },
    });
    this.session.take(tokens);
    return tokens;
  }

  /** Makes the refresh token useless, here and at the platform. */
  async signOut(): Promise<void> {
    const tokens = this.session.leave();
    if (tokens === null) return;
    const body = { refreshToken: tokens.refreshToken };
    await this.anonymous().transport.json('/v1/auth/logout', { method: 'POST', body });
  }

  account(): Promise<Account> {
    return this.get('/v1/accounts/me');
  }

  createApiKey(
    name: string,
    options: { scopes?: string[]; expiresInSeconds?: number } = {},
  ): Promise<IssuedKey> {
    return this.post('/v1/api-keys', { name, ...options });
  }

  apiKeys(options: ListOptions = {}): Promise<Page<ApiKey>> {
    return this.get('/v1/api-keys', options);
  }

  revokeApiKey(apiKeyId: string): Promise<void> {
    return this.delete(path`/v1/api-keys/${apiKeyId}`);
  }

  registerProvider(request: ProviderRequest): Promise<Provider> {
    return this.post('/v1/providers', request);
  }

  provider(providerId: string): Promise<Provider> {
    return this.get(path`/v1/providers/${providerId}`);
  }

  providers(options: ListOptions = {}): Promise<Page<Provider>> {
    return this.get('/v1/providers', options);
  }

  /** The kubeconfig is sealed on arrival; only the orchestrator can read it. */
  attachCluster(providerId: string, kubeconfig: string): Promise<void> {
    return this.transport.json(path`/v1/providers/${providerId}/cluster`, {
      method: 'PUT',
      body: { kubeconfig },
    });
  }

  publishOffer(providerId: string, offer: OfferRequest): Promise<Offer> {
    return this.post(path`/v1/providers/${providerId}/offers`, offer);
  }

  withdrawOffer(providerId: string, offerId: string): Promise<void> {
    return this.delete(path`/v1/providers/${providerId}/offers/${offerId}`);
  }

  offers(options: ListOptions & OfferFilter = {}): Promise<Page<Offer>> {
    return this.get('/v1/offers', options);
  }

  quote(request: ManifestRequest): Promise<Quote> {
    return this.post('/v1/quotes', request);
  }

  /**
   * @param idempotencyKey the same key gives the same order, also in another process
   * @param options `preferWaitSeconds`: the answer comes when the order is placed or runs, or after so long
   */
  createOrder(
    request: OrderRequest,
    idempotencyKey: string = crypto.randomUUID(),
    options: { preferWaitSeconds?: number } = {},
  ): Promise<Order> {
    const seconds = options.preferWaitSeconds;
    return this.post(
      '/v1/orders',
      request,
      idempotencyKey,
      seconds === undefined ? {} : { headers: { prefer: `wait=${seconds}` }, expectedMs: seconds * 1_000 },
    );
  }

  order(orderId: string): Promise<Order> {
    return this.get(path`/v1/orders/${orderId}`);
  }

  orders(options: ListOptions & { state?: string } = {}): Promise<Page<Order>> {
    return this.get('/v1/orders', options);
  }

  cancelOrder(orderId: string): Promise<Order> {
    return this.post(path`/v1/orders/${orderId}/cancel`, {});
  }

  explanation(orderId: string): Promise<OrderExplanation> {
    return this.get(path`/v1/orders/${orderId}/explanation`);
  }

  /**
   * Everything that happens to an order, each item once, until it and its leases have ended; a lost connection resumes.
   * @param afterId the id of the last item that is known already
   */
  timeline(orderId: string, signal?: AbortSignal, afterId?: string): AsyncGenerator<TimelineItem> {
    return orderTimeline(this.transport, orderId, signal, afterId);
  }

  /**
   * As the provider: auctions that an offer of yours could serve, the first to close first.
   * @param options `preferWaitSeconds`: where there is none, the answer comes when there is, or after so long
   */
  async auctions(options: { preferWaitSeconds?: number } = {}): Promise<OpenAuction[]> {
    const seconds = options.preferWaitSeconds;
    const { items } = await this.transport.json<{ items: OpenAuction[] }>(
      '/v1/auctions',
      seconds === undefined ? {} : { headers: { prefer: `wait=${seconds}` }, expectedMs: seconds * 1_000 },
    );
    return items;
  }

  /** As the provider: a sealed bid, in place of the one that the offer had. Nobody else sees it before the close. */
  placeBid(request: BidRequest, idempotencyKey?: string): Promise<Bid> {
    return this.post('/v1/bids', request, idempotencyKey);
  }

  bid(bidId: string): Promise<Bid> {
    return this.get(path`/v1/bids/${bidId}`);
  }

  /** Your bids as a provider, and those on your orders once their windows have closed. */
  bids(options: ListOptions & { state?: BidState; orderId?: string } = {}): Promise<Page<Bid>> {
    return this.get('/v1/bids', options);
  }

  lease(leaseId: string): Promise<Lease> {
    return this.get(path`/v1/leases/${leaseId}`);
  }

  leases(options: ListOptions & { state?: string; orderId?: string } = {}): Promise<Page<Lease>> {
    return this.get('/v1/leases', options);
  }

  closeLease(leaseId: string): Promise<Lease> {
    return this.post(path`/v1/leases/${leaseId}/close`, {});
  }

  /** As the provider. */
  acceptLease(leaseId: string): Promise<Lease> {
    return this.post(path`/v1/leases/${leaseId}/accept`, {});
  }

  /** As the provider. */
  rejectLease(leaseId: string, reason?: string): Promise<Lease> {
    return this.post(path`/v1/leases/${leaseId}/reject`, reason === undefined ? {} : { reason });
  }

  workload(leaseId: string): Promise<Workload> {
    return this.get(path`/v1/workloads/${leaseId}`);
  }

  workloadEvents(leaseId: string): Promise<{ items: WorkloadEvent[] }> {
    return this.get(path`/v1/workloads/${leaseId}/events`);
  }

  logs(leaseId: string, options: LogOptions = {}): Promise<string> {
    return this.transport.text(withQuery(path`/v1/workloads/${leaseId}/logs`, options), {
      headers: { accept: 'text/plain' },
    });
  }

  /** The lines of a log as they are written, until the container ends. */
  followLogs(leaseId: string, options: LogOptions = {}, signal?: AbortSignal): AsyncGenerator<string> {
    const query = { ...options, follow: true };
    return followedLog(this.transport, withQuery(path`/v1/workloads/${leaseId}/logs`, query), signal);
  }

  escrow(): Promise<Escrow> {
    return this.get('/v1/escrow');
  }

  escrowEntries(options: ListOptions = {}): Promise<Page<EscrowEntry>> {
    return this.get('/v1/escrow/entries', options);
  }

  usage(leaseId?: string, options: ListOptions = {}): Promise<Page<UsageWindow>> {
    return this.get('/v1/usage', { leaseId, ...options });
  }

  settlements(leaseId?: string, options: ListOptions = {}): Promise<Page<Settlement>> {
    return this.get('/v1/settlements', { leaseId, ...options });
  }

  invoice(leaseId: string): Promise<Invoice> {
    return this.get(path`/v1/invoices/${leaseId}`);
  }

  breaks(options: ListOptions & { open?: boolean } = {}): Promise<Page<Break>> {
    return this.get('/v1/breaks', options);
  }

  books(): Promise<Books> {
    return this.get('/v1/books');
  }

  chain(): Promise<Chain> {
    return this.get('/v1/chain');
  }

  /** As an operator: events that a service could not handle. @param service `billing`, `matchmaker`, … */
  deadLetters(
    service: string,
    options: ListOptions & { topic?: string; key?: string; settled?: boolean } = {},
  ): Promise<Page<DeadLetter>> {
    return this.get(path`/services/${service}/ops/dead-letters`, options);
  }

  deadLetter(service: string, id: string): Promise<DeadLetterWithRecord> {
    return this.get(path`/services/${service}/ops/dead-letters/${id}`);
  }

  /** Delivers what is parked of a key again, in order. Resolves when that is asked for, not when it is done. */
  async replayDeadLetters(service: string, which: { topic: string; key: string }): Promise<void> {
    await this.post(path`/services/${service}/ops/dead-letters/replay`, which);
  }

  /** Gives one up, for a reason that is kept. Resolves when that is asked for, not when it is done. */
  async skipDeadLetter(service: string, id: string, reason: string): Promise<void> {
    await this.post(path`/services/${service}/ops/dead-letters/${id}/skip`, { reason });
  }

  busLag(service: string): Promise<BusLag> {
    return this.get(path`/services/${service}/ops/bus`);
  }

  /** As an operator: what a service can make anew from events. */
  async readModels(service: string): Promise<ReadModel[]> {
    return (await this.get<{ items: ReadModel[] }>(path`/services/${service}/ops/read-models`)).items;
  }

  readModel(service: string, name: string): Promise<ReadModel> {
    return this.get(path`/services/${service}/ops/read-models/${name}`);
  }

  /** Begins a rebuild, or carries on one that was interrupted. Resolves when it has begun, not when it is done. */
  async rebuildReadModel(service: string, name: string): Promise<void> {
    await this.post(path`/services/${service}/ops/read-models/${name}/rebuild`, {});
  }

  /** Ends a rebuild, and throws away what it has made. */
  async abortRebuild(service: string, name: string): Promise<void> {
    await this.post(path`/services/${service}/ops/read-models/${name}/abort`, {});
  }

  /** Every item of a paged list: `client.all((page) => client.leases({ ...page, state: 'active' }))`. */
  async *all<T>(list: (options: { cursor?: string }) => Promise<Page<T>>): AsyncGenerator<T> {
    let cursor: string | null = null;
    do {
      const page: Page<T> = await list(cursor === null ? {} : { cursor });
      yield* page.items;
      cursor = page.nextCursor;
    } while (cursor !== null);
  }

  private anonymous(): GridbourseClient {
    return new GridbourseClient({ ...this.options, auth: { none: true } });
  }

  private get<T>(base: string, query: Record<string, QueryValue> = {}): Promise<T> {
    return this.transport.json(withQuery(base, query));
  }

  private post<T>(
    to: string,
    body: unknown,
    idempotencyKey: string = crypto.randomUUID(),
    options: RequestOptions = {},
  ): Promise<T> {
    return this.transport.json(to, { ...options, method: 'POST', body, idempotencyKey });
  }

  private delete(from: string): Promise<void> {
    return this.transport.json(from, { method: 'DELETE' });
  }
}
