import { DomainError } from '@gridbourse/kernel';
import type { Logger } from '@gridbourse/observability';
import { readFileSync } from 'node:fs';
import { createClient, ErrorReply } from 'redis';
import type { RedisConfig } from '../config.ts';
import { full, unavailable } from '../errors.ts';
import type { Script } from './scripts.ts';

/** So many calls in a row without an answer, and the connection is given up for a new one. */
const MISSES_THAT_END_A_CONNECTION = 3;
const FIRST_PAUSE_MS = 20;

type Client = ReturnType<typeof newClient>;

const newClient = (config: RedisConfig) =>
  createClient({
    url: config.url,
    name: 'gridbourse',
    ...(config.username === undefined ? {} : { username: config.username }),
    ...(config.password === undefined ? {} : { password: config.password }),
    // What cannot be sent now is refused now: the caller knows better than a queue whether it still wants it later.
    disableOfflineQueue: true,
    commandsQueueMaxLength: config.maxPendingCalls,
    // We count the time ourselves, from the moment of the call to its answer.
    commandOptions: { timeout: 0 },
    // Silence on an idle connection is no sign of life either: ping, and hang up when nothing comes back.
    pingInterval: Math.ceil(config.connectTimeoutMs / 2),
    maintNotifications: 'disabled',
    socket: {
      connectTimeout: config.connectTimeoutMs,
      socketTimeout: config.connectTimeoutMs,
      ...(config.caFile === undefined ? {} : { tls: true, ca: [readFileSync(config.caFile)] }),
      reconnectStrategy: (retries: number) => {
        const pause = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(retries, 16), config.maxReconnectPauseMs);
        return pause / 2 + Math.random() * (pause / 2);
      },
    },
  });

/** Replies that say the server cannot do its work now, though the request is right. */
const NOT_NOW =
  /^(LOADING|MASTERDOWN|READONLY|CLUSTERDOWN|TRYAGAIN|MISCONF|BUSY|NOREPLICAS|NOAUTH|WRONGPASS|NOPERM)\b/;

const described = (error: unknown): DomainError => {
  if (!(error instanceof ErrorReply)) {
    return unavailable(error instanceof Error ? error.message : String(error), error);
  }
  if (error.message.startsWith('OOM')) return full(error.message, error);
  if (NOT_NOW.test(error.message)) return unavailable(error.message, error);
  return new DomainError('internal', 'key_value_refused', `Redis refuses: ${error.message}`, {
    cause: error,
  });
};

const isUnknownScript = (error: unknown): boolean =>
  error instanceof DomainError &&
  error.cause instanceof ErrorReply &&
  error.cause.message.startsWith('NOSCRIPT');

/**
 * A connection to one Redis that comes back by itself. Calls are answered within their time or fail; none is sent twice,
 * except a script that the server says it does not know, which it has then not run.
 */
export class RedisConnection {
  private client: Client;
  private pending = 0;
  private misses = 0;
  private closed = false;
  private reachable: boolean | null = null;

  constructor(
    private readonly config: RedisConfig,
    private readonly logger: Logger,
  ) {
    this.client = this.connect();
  }

  isReady(): boolean {
    return this.client.isReady;
  }

  /** @throws DomainError `key_value_unavailable`, `key_value_full` */
  async run(script: Script, keys: readonly string[], values: readonly string[]): Promise<unknown> {
    const rest = [String(keys.length), ...keys, ...values];
    try {
      return await this.send(['EVALSHA', script.sha, ...rest]);
    } catch (error) {
      if (!isUnknownScript(error)) throw error;
      return this.send(['EVAL', script.source, ...rest]);
    }
  }

  /** @throws DomainError `key_value_unavailable`, `key_value_full` */
  async send(command: readonly string[]): Promise<unknown> {
    if (this.closed) throw unavailable('it was closed');
    if (!this.client.isReady) throw unavailable('there is no connection');
    if (this.pending >= this.config.maxPendingCalls) {
      throw unavailable(`${this.pending} calls wait for an answer already`);
    }
    const { client } = this;
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.missed(client);
        reject(unavailable(`no answer within ${this.config.callTimeoutMs} ms`));
      }, this.config.callTimeoutMs);
    });
    this.pending += 1;
    const answer = client.sendCommand([...command]).finally(() => {
      this.pending -= 1;
    });
    answer.catch(() => undefined); // it may fail after the deadline, when nobody listens any more
    try {
      const reply: unknown = await Promise.race([answer, deadline]);
      if (client === this.client) this.misses = 0;
      return reply;
    } catch (error) {
      throw described(error);
    } finally {
      clearTimeout(timer);
    }
  }

  close(): Promise<void> {
    this.closed = true;
    if (this.client.isOpen) this.client.destroy();
    return Promise.resolve();
  }

  private connect(): Client {
    const client = newClient(this.config);
    client.on('ready', () => {
      if (client === this.client) this.noteReachable(true);
    });
    client.on('error', (error: unknown) => {
      if (client === this.client) this.noteReachable(false, error);
    });
    client.connect().catch(() => undefined); // tries go on; each failure was an 'error' event
    return client;
  }

  /** A server that hangs may never close the connection, and what it was sent piles up. */
  private missed(client: Client): void {
    if (client !== this.client || this.closed) return;
    this.misses += 1;
    if (this.misses < MISSES_THAT_END_A_CONNECTION) return;
    this.misses = 0;
    this.noteReachable(false, new Error(`${MISSES_THAT_END_A_CONNECTION} calls in a row were not answered`));
    this.client = this.connect();
    if (client.isOpen) client.destroy();
  }

  /** Once for each change: a server that is away for an hour is not an hour of log lines. */
  private noteReachable(reachable: boolean, error?: unknown): void {
    if (this.closed || this.reachable === reachable) return;
    this.reachable = reachable;
    if (reachable) this.logger.info({}, 'the key-value store answers');
    else this.logger.error({ err: error }, 'the key-value store does not answer');
  }
}
