import {
  type ReadyReport,
  SERVICE_CARD_PATH,
  SERVICE_OPENAPI_PATH,
  type ServiceOpenApi,
  type ServiceCard,
  serviceCard,
} from '@gridbourse/api';
import type { Logger } from '@gridbourse/observability';
import { Agent, type IncomingMessage, request as httpRequest, type ServerResponse } from 'node:http';
import { z } from 'zod';
import type { GatewayService } from './gateway-service.ts';
import { answerProblem } from './problem.ts';

const CONNECTIONS = 256;
const CALL_DEADLINE_MS = 3_000;
/** Until an answer begins; longer than any deadline inside a service. What streams may go on for as long as it likes. */
const ANSWER_WITHIN_MS = 60_000;
/** Until the first answer it is asked often, later now and then: a new version may serve new paths. */
const ASK_UNKNOWN_EVERY_MS = 200;
const ASK_KNOWN_EVERY_MS = 10_000;
/** Headers of one hop (RFC 9110, section 7.6.1), which are not for the next. */
const HOP_HEADERS = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
/** Only this hop knows from whom the request came; what a client claims is dropped. */
const CLAIMS = new Set(['forwarded', 'x-forwarded-for']);

const document = z.looseObject({ openapi: z.string(), paths: z.record(z.string(), z.unknown()) });
const readyAnswer = z.object({
  status: z.enum(['ready', 'not_ready']),
  checks: z.record(z.string(), z.string()),
});

const forwardable = (message: IncomingMessage, without: ReadonlySet<string> = new Set()): string[] => {
  const named = new Set(
    (message.headers.connection ?? '').split(',').map((header) => header.trim().toLowerCase()),
  );
  const kept: string[] = [];
  for (let i = 0; i + 1 < message.rawHeaders.length; i += 2) {
    const name = message.rawHeaders[i]!;
    const key = name.toLowerCase();
    if (!HOP_HEADERS.has(key) && !without.has(key) && !named.has(key))
      kept.push(name, message.rawHeaders[i + 1]!);
  }
  return kept;
};

/**
 * A service in another process, reached by HTTP. What it serves it tells itself (`/service.json`, `/openapi.json`), so a
 * gateway needs to be given its address and nothing else, and may start before it.
 */
export class RemoteService implements GatewayService {
  readonly name: string;
  private readonly url: URL;
  private readonly agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  private readonly closing = new AbortController();
  private card: ServiceCard | null = null;
  private document: { text: string; value: ServiceOpenApi } | null = null;
  private timer: NodeJS.Timeout | undefined;

  /** @param options.url origin of the service, `http://host:port`; its gRPC listener is on the same host */
  constructor(
    private readonly options: { name: string; url: string; logger: Logger; answerWithinMs?: number },
  ) {
    this.name = options.name;
    this.url = new URL(options.url);
  }

  /** Begins to ask for the card; resolves at once. */
  start(): void {
    void this.ask();
  }

  close(): void {
    this.closing.abort();
    clearTimeout(this.timer);
    this.agent.destroy();
  }

  get publicPaths(): readonly string[] | null {
    return this.card?.publicPaths ?? null;
  }

  get grpcPackages(): readonly string[] {
    return this.card?.grpcPackages ?? [];
  }

  get grpcTarget(): string | undefined {
    const port = this.card?.grpcPort ?? null;
    return port === null ? undefined : `${this.url.hostname}:${port}`;
  }

  openApi(): ServiceOpenApi | null {
    return this.document?.value ?? null;
  }

  async ready(): Promise<ReadyReport> {
    try {
      const answer = await fetch(new URL('/health/ready', this.url), this.deadline());
      const { status, checks } = readyAnswer.parse(await answer.json());
      return { ready: status === 'ready', checks };
    } catch (error) {
      return { ready: false, checks: { reachable: error instanceof Error ? error.message : 'no answer' } };
    }
  }

  /** Streams in both directions, so that logs, events and large bodies pass as they come. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? '/';
    const upstream = httpRequest({
      agent: this.agent,
      host: this.url.hostname,
      port: this.url.port,
      method: request.method,
      path,
      headers: [
        ...forwardable(request, CLAIMS),
        'x-forwarded-for',
        request.socket.remoteAddress ?? 'unknown',
      ],
    });
    const late = setTimeout(() => {
      answerProblem(response, { ...this.noAnswer(path), status: 504, title: 'No answer in time' });
      upstream.destroy();
    }, this.options.answerWithinMs ?? ANSWER_WITHIN_MS);
    upstream.on('close', () => clearTimeout(late));
    upstream.on('response', (answer) => {
      clearTimeout(late);
      response.writeHead(answer.statusCode ?? 502, forwardable(answer));
      answer.on('error', () => response.destroy());
      answer.pipe(response);
    });
    upstream.on('error', (error) => {
      this.options.logger.warn({ err: error, service: this.name }, 'a service does not answer the gateway');
      answerProblem(response, this.noAnswer(path), { 'retry-after': '1' });
    });
    response.on('close', () => upstream.destroy());
    request.on('error', () => upstream.destroy());
    request.pipe(upstream);
  }

  private noAnswer(path: string) {
    return {
      status: 503,
      title: 'Not available now',
      code: 'service_unreachable',
      detail: `the ${this.name} does not answer; try again in a moment`,
      path: path.split('?', 1)[0]!,
    };
  }

  private async ask(): Promise<void> {
    try {
      const [card, openApi] = await Promise.all([
        this.read(SERVICE_CARD_PATH, serviceCard),
        this.read(SERVICE_OPENAPI_PATH, document),
      ]);
      if (card.name !== this.name) {
        throw new Error(`${this.url.origin} is the ${card.name}, not the ${this.name}`);
      }
      const text = JSON.stringify(openApi);
      if (text !== this.document?.text) this.document = { text, value: openApi as unknown as ServiceOpenApi };
      if (!this.card) this.options.logger.info({ service: this.name }, 'the gateway has found a service');
      this.card = card;
    } catch (error) {
      this.options.logger.debug({ err: error, service: this.name }, 'a service did not tell what it serves');
    }
    if (this.closing.signal.aborted) return;
    this.timer = setTimeout(() => void this.ask(), this.card ? ASK_KNOWN_EVERY_MS : ASK_UNKNOWN_EVERY_MS);
  }

  private async read<T>(path: string, schema: z.ZodType<T>): Promise<T> {
    const answer = await fetch(new URL(path, this.url), this.deadline());
    if (!answer.ok) throw new Error(`${path} was answered with ${answer.status}`);
    return schema.parse(await answer.json());
  }

  private deadline(): { signal: AbortSignal } {
    return { signal: AbortSignal.any([AbortSignal.timeout(CALL_DEADLINE_MS), this.closing.signal]) };
  }
}
