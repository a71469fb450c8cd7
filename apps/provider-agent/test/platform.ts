import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type GrpcObject,
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServiceClientConstructor,
} from '@grpc/grpc-js';
import { load } from '@grpc/proto-loader';
import { parseUsdc } from '@gridbourse/kernel';
import { GRPC_LOADER, type registryV1 } from '@gridbourse/proto';
import { verifyMessage } from 'ethers';
import { SiweMessage } from 'siwe';
import type { PlannedBid } from '../src/domain/bids.ts';
import { challengeText, heartbeatContent, helloText } from '../src/domain/signed-texts.ts';

type Money = { usdc: string; micros: string };
type Stream = ServerDuplexStream<registryV1.ConnectRequest, registryV1.ConnectResponse>;

/** The platform's side as an agent sees it: just enough to check what the agent says. */
export class TestPlatform {
  readonly calls: { method: string; path: string; body: unknown; token: string }[] = [];
  readonly heartbeats: registryV1.Heartbeat[] = [];
  readonly answers: string[] = [];
  /** A token that was given out before is no longer taken. */
  expired = false;
  /** Bids of this offer come too late. */
  refuses = '';
  private readonly auctions: {
    orderId: string;
    groups: {
      group: string;
      maxRate: Money;
      offers: { offerId: string; listRate: Money; bid: { rate: Money } | null }[];
    }[];
  }[] = [];
  hellos = 0;
  knows = true;
  heartbeatIntervalMs = 50;
  silenceLimitMs = 0;
  /** Takes what agents send and says nothing, as a stream whose other half is gone. */
  mute = false;
  private readonly http = createServer(
    (request, response) =>
      void this.answer(request).then(
        ({ status, body }) =>
          response
            .writeHead(status, { 'content-type': 'application/json' })
            .end(body === undefined ? '' : JSON.stringify(body)),
        (error: Error) => response.writeHead(500).end(error.message),
      ),
  );
  private grpc: Server | undefined;
  private readonly streams = new Set<Stream>();
  private readonly challenges = new Map<string, string>();
  private httpPort = 0;
  private grpcPort = 0;
  wallet = '';

  get origin(): string {
    return `http://127.0.0.1:${this.httpPort}`;
  }

  get grpcTarget(): string {
    return `127.0.0.1:${this.grpcPort}`;
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.http.listen(this.httpPort, '127.0.0.1', resolve));
    this.httpPort = (this.http.address() as AddressInfo).port;
    await this.startGrpc();
  }

  async stop(): Promise<void> {
    this.grpc?.forceShutdown();
    this.http.closeAllConnections();
    await new Promise((resolve) => this.http.close(resolve));
  }

  /** Takes the gRPC side away, and brings it back on the same port. */
  async restartGrpc(): Promise<void> {
    this.grpc?.forceShutdown();
    await this.startGrpc();
  }

  challenge(): string {
    const challengeId = randomBytes(4).toString('hex');
    const nonce = randomBytes(32).toString('hex');
    this.challenges.set(challengeId, nonce);
    for (const stream of this.streams) stream.write({ challenge: { challengeId, nonce, kind: 'gpu' } });
    return challengeId;
  }

  private async startGrpc(): Promise<void> {
    const options = { ...GRPC_LOADER, includeDirs: [...GRPC_LOADER.includeDirs] };
    const root = loadPackageDefinition(await load('gridbourse/registry/v1/agent.proto', options));
    const v1 = ((root['gridbourse'] as GrpcObject)['registry'] as GrpcObject)['v1'] as GrpcObject;
    const { service } = v1['AgentService'] as ServiceClientConstructor;
    const grpc = new Server();
    this.grpc = grpc;
    grpc.addService(service, { connect: (stream: Stream) => this.connect(stream) });
    this.grpcPort = await new Promise<number>((resolve, reject) => {
      grpc.bindAsync(`127.0.0.1:${this.grpcPort}`, ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      );
    });
  }

  private connect(stream: Stream): void {
    let providerId = '';
    const refuse = (code: string): void => {
      stream.write({ refusal: { code, message: code } });
      stream.end();
    };
    this.streams.add(stream);
    stream.on('close', () => this.streams.delete(stream));
    stream.on('error', () => this.streams.delete(stream));
    const signed = (text: string, signature: string): boolean =>
      verifyMessage(text, signature).toLowerCase() === this.wallet;
    stream.on('data', ({ hello, heartbeat, answer }: registryV1.ConnectRequest) => {
      if (this.mute) return;
      if (hello) {
        if (!this.knows) return refuse('unknown_provider');
        if (!signed(helloText(hello.providerId, hello.issuedAtMs), hello.signature))
          return refuse('invalid_signature');
        providerId = hello.providerId;
        this.hellos += 1;
        const { heartbeatIntervalMs, silenceLimitMs } = this;
        stream.write({ welcome: { heartbeatIntervalMs, silenceLimitMs } });
      }
      if (heartbeat) {
        const digest = createHash('sha256').update(heartbeatContent(providerId, heartbeat)).digest('hex');
        if (!signed(digest, heartbeat.signature)) return refuse('invalid_signature');
        this.heartbeats.push(heartbeat);
        stream.write({ heartbeatTaken: { sequence: heartbeat.sequence } });
      }
      if (
        answer &&
        signed(challengeText(answer.challengeId, this.challenges.get(answer.challengeId)!), answer.signature)
      ) {
        this.answers.push(answer.challengeId);
      }
    });
  }

  /** Opens an auction that these offers could serve, each for 2 USDC/h by its list. */
  openAuction(orderId: string, offerIds: readonly string[]): void {
    const money = (micros: string) => ({ usdc: '', micros });
    const offers = offerIds.map((offerId) => ({ offerId, listRate: money('2000000'), bid: null }));
    this.auctions.push({ orderId, groups: [{ group: 'main', maxRate: money('3000000'), offers }] });
  }

  private takeBid({ orderId, offerId, rateUsdcPerHour }: PlannedBid): { status: number; body: unknown } {
    if (offerId === this.refuses)
      return { status: 409, body: { code: 'auction_closed', detail: 'too late' } };
    const offers = this.auctions
      .filter((auction) => auction.orderId === orderId)
      .flatMap(({ groups }) => groups.flatMap((group) => group.offers));
    const offer = offers.find((one) => one.offerId === offerId)!;
    offer.bid = { rate: { usdc: rateUsdcPerHour, micros: parseUsdc(rateUsdcPerHour).toString() } };
    return { status: 201, body: {} };
  }

  private async answer(request: IncomingMessage): Promise<{ status: number; body?: unknown }> {
    let text = '';
    for await (const part of request) text += String(part);
    const body: unknown = text === '' ? undefined : JSON.parse(text);
    const { method = '', url: path = '' } = request;
    const token = (request.headers.authorization ?? '').replace('Bearer ', '');
    this.calls.push({ method, path, body, token });
    if (path === '/v1/auth/nonce') {
      const { host } = new URL(this.origin);
      return {
        status: 200,
        body: { nonce: 'nonce12345678', domain: host, uri: this.origin, chainId: 31_337, expiresAt: '' },
      };
    }
    if (path === '/v1/auth/login') {
      const { message, signature } = body as { message: string; signature: string };
      const { data } = await new SiweMessage(message).verify({ signature });
      this.wallet = data.address.toLowerCase();
      this.expired = false;
      return {
        status: 200,
        body: { accessToken: 'token', refreshToken: 'r', accessExpiresAt: '', accountId: 'acc' },
      };
    }
    if (token !== 'token' || this.expired)
      return { status: 401, body: { code: 'unauthenticated', detail: 'no token' } };
    if (method === 'POST' && path === '/v1/providers') {
      this.knows = true;
      return { status: 200, body: { providerId: 'prv_1' } };
    }
    if (method === 'PUT' && path === '/v1/providers/prv_1/cluster') return { status: 204 };
    if (method === 'POST' && path === '/v1/providers/prv_1/offers') {
      return { status: 200, body: { offerId: `off_${(body as { label: string }).label}` } };
    }
    if (method === 'DELETE') return { status: 204 };
    if (path === '/v1/auctions') return { status: 200, body: { items: this.auctions } };
    if (path === '/v1/bids') return this.takeBid(body as PlannedBid);
    return { status: 404, body: { code: 'not_found' } };
  }
}
