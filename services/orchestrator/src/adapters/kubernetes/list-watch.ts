import type { Clock, Random } from '@gridbourse/kernel';
import type { Logger } from '@gridbourse/observability';
import type { IncomingMessage } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import type { KubernetesApi, WatchEvent } from './kubernetes-api.ts';
import { isGone, KubernetesError, noAnswer } from './kubernetes-error.ts';

const watchEventSchema = z.object({
  type: z.enum(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR']),
  object: z.unknown(),
});
const versioned = z.object({ metadata: z.object({ resourceVersion: z.string() }) });
const statusSchema = z.object({
  code: z.int().optional(),
  reason: z.string().optional(),
  message: z.string().optional(),
});

const FIRST_BACKOFF_MS = 200;
const MAX_BACKOFF_MS = 15_000;
/** A watch that ends sooner than this did no work: the next one waits, and longer each time. */
const SHORT_WATCH_MS = 1_000;

export type ListWatchOptions<T> = {
  readonly name: string;
  readonly api: KubernetesApi;
  readonly path: string;
  readonly labelSelector: string;
  readonly schema: z.ZodType<T>;
  readonly versionOf: (item: T) => string;
  /** All there is, as of an instant. */
  readonly onList: (items: readonly T[], resourceVersion: string, provenAtMs: number) => void;
  readonly onChange: (type: 'ADDED' | 'MODIFIED' | 'DELETED', item: T, provenAtMs: number) => void;
  /** The watch is alive, and everything up to this instant has been delivered. */
  readonly onProof: (provenAtMs: number) => void;
  /** Nothing can be seen for now. */
  readonly onLost: (error: unknown) => void;
  /** A watch that says nothing for so long (not even a bookmark) is taken to be dead. */
  readonly idleMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
};

/**
 * Keeps a picture of a collection: a list, then a watch from its version. Any doubt ends in a new list: a version that is
 * too old (410), an error in the stream, a line that cannot be read, silence. Only a watch that the server closed in good
 * order is taken up again where it stopped.
 */
export class ListWatch<T> {
  private readonly stopping = new AbortController();
  private running: Promise<void> | null = null;
  private failures = 0;

  constructor(private readonly options: ListWatchOptions<T>) {}

  start(): void {
    this.running ??= this.loop();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  private async loop(): Promise<void> {
    const { signal } = this.stopping;
    let version: string | null = null;
    while (!signal.aborted) {
      const beganAtMs = performance.now();
      try {
        version ??= await this.list();
        version = await this.watch(version);
        if (performance.now() - beganAtMs < SHORT_WATCH_MS) await this.backOff();
      } catch (error) {
        if (signal.aborted) return;
        version = null;
        // 410 is how a server says "list again", not that it is away.
        if (!isGone(error)) this.options.onLost(error);
        const { name } = this.options;
        const detail = { watch: name, failures: this.failures, reason: describe(error) };
        this.options.logger.warn(detail, 'watch broken: listing again');
        await this.backOff();
      }
    }
  }

  private async list(): Promise<string> {
    const { api, path, schema, labelSelector, onList } = this.options;
    const listed = await api.list(path, schema, { labelSelector, signal: this.stopping.signal });
    onList(listed.items, listed.resourceVersion, listed.askedAtMs);
    return listed.resourceVersion;
  }

  /** @returns the version to go on from, after the server closed the watch in good order */
  private async watch(from: string): Promise<string> {
    const { api, path, labelSelector, idleMs, clock, random } = this.options;
    const idle = new AbortController();
    const signal = AbortSignal.any([this.stopping.signal, idle.signal]);
    // Servers end a watch after a while; the time differs, so that not all clusters' watches end at once.
    const timeoutSeconds = Math.floor(240 + random.next() * 120);
    const stream = await api.watch(path, { labelSelector, resourceVersion: from, timeoutSeconds, signal });
    let timer = setTimeout(() => idle.abort(), idleMs);
    let version = from;
    try {
      for await (const event of events(stream)) {
        clearTimeout(timer);
        timer = setTimeout(() => idle.abort(), idleMs);
        version = this.take(event, clock.now());
        this.failures = 0;
      }
      return version;
    } catch (error) {
      if (idle.signal.aborted && !this.stopping.signal.aborted)
        throw noAnswer(`silent for ${idleMs} ms`, error);
      throw error;
    } finally {
      clearTimeout(timer);
      stream.destroy();
    }
  }

  private take(event: WatchEvent, atMs: number): string {
    const { schema, versionOf, onChange, onProof } = this.options;
    if (event.type === 'ERROR') {
      const status = statusSchema.safeParse(event.object).data ?? {};
      throw new KubernetesError(
        status.code ?? 0,
        status.reason ?? '',
        status.message ?? 'error in the stream',
      );
    }
    if (event.type === 'BOOKMARK') {
      const { metadata } = versioned.parse(event.object);
      onProof(atMs);
      return metadata.resourceVersion;
    }
    const item = schema.parse(event.object);
    onChange(event.type, item, atMs);
    return versionOf(item);
  }

  private async backOff(): Promise<void> {
    const ceilingMs = Math.min(FIRST_BACKOFF_MS * 2 ** this.failures, MAX_BACKOFF_MS);
    this.failures = Math.min(this.failures + 1, 20);
    const waitMs = ceilingMs * (0.5 + this.options.random.next() / 2);
    await pause(waitMs, undefined, { signal: this.stopping.signal }).catch(() => undefined);
  }
}

/** No object of a cluster is larger than what etcd takes. */
const MAX_LINE_CHARS = 4 * 1024 * 1024;

async function* events(stream: IncomingMessage): AsyncGenerator<WatchEvent> {
  let rest = '';
  stream.setEncoding('utf8');
  for await (const chunk of stream as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MAX_LINE_CHARS) throw noAnswer(`a line of more than ${MAX_LINE_CHARS} characters`);
    for (const line of lines) {
      if (line !== '') yield watchEventSchema.parse(JSON.parse(line));
    }
  }
  if (rest !== '' || !stream.complete) throw noAnswer('the connection was cut');
}

const describe = (error: unknown): string =>
  error instanceof Error ? error.message.slice(0, 300) : String(error);
