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
import { GRPC_LOADER, type registryV1 } from '@gridbourse/proto';
import { verifyMessage } from 'ethers';
import { SiweMessage } from 'siwe';
import { challengeText, heartbeatContent, helloText } from '../src/domain/signed-texts.ts';

type Stream = ServerDuplexStream<registryV1.ConnectRequest, registryV1.ConnectResponse>;

/** The platform's side as an agent sees it: just enough to check what the agent says. */
export class TestPlatform {
  readonly calls: { method: string; path: string; body: unknown; token: string }[] = [];
  readonly heartbeats: registryV1.Heartbeat[] = [];
  readonly answers: string[] = [];
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
      return {
        status: 200,
        body: { accessToken: 'token', refreshToken: 'r', accessExpiresAt: '', accountId: 'acc' },
      };
    }
    if (token !== 'token') return { status: 401, body: { code: 'unauthenticated', detail: 'no token' } };
    if (method === 'POST' && path === '/v1/providers') {
      this.knows = true;
      return { status: 200, body: { providerId: 'prv_1' } };
    }
    if (method === 'PUT' && path === '/v1/providers/prv_1/cluster') return { status: 204 };
    if (method === 'POST' && path === '/v1/providers/prv_1/offers') {
      return { status: 200, body: { offerId: `off_${(body as { label: string }).label}` } };
    }
    if (method === 'DELETE') return { status: 204 };
    return { status: 404, body: { code: 'not_found' } };
  }
}
