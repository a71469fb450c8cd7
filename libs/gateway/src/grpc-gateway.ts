import type { Logger } from '@gridbourse/observability';
import {
  type ClientHttp2Session,
  connect,
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { GatewayService } from './gateway-service.ts';
import { DIRECTORY_PACKAGES, GrpcDirectory } from './grpc-directory.ts';

const GRPC_UNIMPLEMENTED = '12';
const GRPC_UNAVAILABLE = '14';
const NO_ANSWER = 'the service does not answer';
/** An upstream that is alive but mute is found out within two of these. */
const PING_EVERY_MS = 10_000;
/** Names of HTTP/2 that belong to one hop and are set anew on the next. */
const HOP_HEADERS = new Set([':status', ':scheme', ':authority', 'connection', 'host']);

const forwardable = (headers: IncomingHttpHeaders): Record<string, string | string[]> =>
  Object.fromEntries(
    Object.entries(headers).filter(([name, value]) => value !== undefined && !HOP_HEADERS.has(name)),
  ) as Record<string, string | string[]>;

/**
 * One gRPC port for all services: a call `/package.Service/Method` goes to the service that owns the package.
 * Frames pass through untouched, streams in both directions included. Reflection and health are answered for all of them.
 */
export class GrpcGateway {
  private readonly server: Http2Server;
  private readonly upstreams = new Map<string, ClientHttp2Session>();
  private readonly sessions = new Set<ServerHttp2Session>();
  private readonly directory: GrpcDirectory;
  private directoryTarget: string | undefined;

  constructor(
    private readonly services: readonly GatewayService[],
    private readonly logger: Logger,
    private readonly pingEveryMs = PING_EVERY_MS,
  ) {
    this.directory = new GrpcDirectory(services);
    this.server = createServer();
    this.server.on('session', (session) => {
      this.sessions.add(session);
      session.on('close', () => this.sessions.delete(session));
      session.on('error', (error: Error) => this.logger.debug({ err: error }, 'gRPC session failed'));
    });
    this.server.on('stream', (stream, headers) => this.forward(stream, headers));
  }

  async listen(port: number, host = '127.0.0.1'): Promise<void> {
    this.directoryTarget = await this.directory.listen();
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, host, () => resolve());
    });
  }

  async close(): Promise<void> {
    for (const session of this.upstreams.values()) session.destroy();
    for (const session of this.sessions) session.destroy();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.directory.close();
  }

  private targetOf(path: string): string | undefined {
    if (DIRECTORY_PACKAGES.some((name) => path.startsWith(`/${name}.`))) return this.directoryTarget;
    return this.services.find(({ grpcPackages }) => grpcPackages.some((name) => path.startsWith(`/${name}.`)))
      ?.grpcTarget;
  }

  private upstream(target: string): ClientHttp2Session {
    const known = this.upstreams.get(target);
    if (known && !known.closed && !known.destroyed) return known;
    const session = connect(`http://${target}`);
    session.on('error', (error: Error) => this.logger.debug({ err: error, target }, 'gRPC upstream failed'));
    const pinging = this.keepAlive(session, target);
    session.on('close', () => {
      clearInterval(pinging);
      if (this.upstreams.get(target) === session) this.upstreams.delete(target);
    });
    this.upstreams.set(target, session);
    return session;
  }

  /** Gives up a session whose ping is not answered before the next is due: its calls end, new ones connect anew. */
  private keepAlive(session: ClientHttp2Session, target: string): NodeJS.Timeout {
    let unanswered = false;
    return setInterval(() => {
      if (unanswered || session.connecting) {
        this.logger.warn({ target }, 'a service answers no ping: its gRPC calls are ended');
        return session.destroy(new Error('no ping was answered in time'));
      }
      unanswered = session.ping((error) => (unanswered = error !== null));
    }, this.pingEveryMs).unref();
  }

  private forward(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const path = headers[':path'] ?? '';
    const refuse = (status: string, message: string): void => {
      if (stream.headersSent || stream.destroyed) return stream.close(constants.NGHTTP2_CANCEL);
      stream.respond(
        {
          ':status': 200,
          'content-type': 'application/grpc',
          'grpc-status': status,
          'grpc-message': message,
        },
        { endStream: true },
      );
    };
    stream.on('error', () => undefined);
    const target = this.targetOf(path);
    if (target === undefined) return refuse(GRPC_UNIMPLEMENTED, `no service here offers ${encodeURI(path)}`);

    const call = this.upstream(target).request({ ...forwardable(headers), ':method': 'POST', ':path': path });
    // What the caller is told if the service goes away in the middle of an answer.
    let trailers: Record<string, string | string[]> = {
      'grpc-status': GRPC_UNAVAILABLE,
      'grpc-message': NO_ANSWER,
    };
    call.on('error', () => undefined);
    call.on('trailers', (received: IncomingHttpHeaders) => (trailers = forwardable(received)));
    call.on('response', (answer, flags) => {
      if (stream.destroyed) return;
      const endStream = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
      stream.respond(
        { ':status': Number(answer[':status'] ?? 200), ...forwardable(answer) },
        { endStream, waitForTrailers: !endStream },
      );
      if (endStream) return;
      stream.on('wantTrailers', () => stream.sendTrailers(trailers));
      call.pipe(stream);
    });
    stream.pipe(call);
    stream.on('close', () => {
      if (!call.closed) call.close(constants.NGHTTP2_CANCEL);
    });
    // However a call ends, with its last word, an error or a lost connection: the caller hears of it.
    call.on('close', () => {
      if (!stream.headersSent) refuse(GRPC_UNAVAILABLE, NO_ANSWER);
      else if (!stream.writableEnded && !stream.destroyed) stream.end();
    });
  }
}
