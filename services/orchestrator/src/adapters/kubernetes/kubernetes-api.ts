import type { Clock, Random } from '@gridbourse/kernel';
import type { IncomingMessage } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import type { z } from 'zod';
import type { KubernetesObject } from '../../domain/objects/object-types.ts';
import type { Call, ClusterHttp } from './cluster-http.ts';
import { listSchema } from './cluster-schemas.ts';
import { isGone, isNotFound, isTransient, type KubernetesError, noAnswer } from './kubernetes-error.ts';
import { pathOfObject } from './resource-paths.ts';

const FIELD_MANAGER = 'gridbourse-orchestrator';
const PAGE_ITEMS = 500;
const MAX_PAGES = 400;
const MAX_RETRIES = 3;

export type Listed<T> = {
  readonly items: readonly T[];
  readonly resourceVersion: string;
  readonly askedAtMs: number;
};

export type WatchEvent = {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: unknown;
};

export type LogOptions = {
  readonly container: string;
  readonly follow: boolean;
  readonly tailLines: number | undefined;
  readonly sinceSeconds: number | undefined;
  readonly limitBytes: number | undefined;
};

/** The calls that the orchestrator makes. Each has a deadline; those that may be repeated are, with jitter. */
export class KubernetesApi {
  constructor(
    private readonly http: ClusterHttp,
    private readonly parts: { clock: Clock; random: Random; callDeadlineMs: number },
  ) {}

  /**
   * Server-side apply: creates the object or makes our fields so. Taking fields over is right here, because a namespace of
   * a lease has no other writer whose wish would count.
   * @throws KubernetesError
   */
  async apply(object: KubernetesObject, signal?: AbortSignal): Promise<unknown> {
    return this.retrying({
      method: 'PATCH',
      path: pathOfObject(object),
      query: { fieldManager: FIELD_MANAGER, force: true },
      body: JSON.stringify(object),
      contentType: 'application/apply-patch+yaml', // JSON is YAML; no other media type is served for this
      deadlineMs: this.parts.callDeadlineMs,
      signal,
    });
  }

  /**
   * @returns null for 404, which is an answer
   * @throws KubernetesError for everything else that is not the object
   */
  async get<S extends z.ZodType>(path: string, schema: S, signal?: AbortSignal): Promise<z.output<S> | null> {
    try {
      const body = await this.retrying({
        method: 'GET',
        path,
        deadlineMs: this.parts.callDeadlineMs,
        signal,
      });
      return parse(schema, body, path);
    } catch (error) {
      if (isNotFound(error)) return null;
      throw error;
    }
  }

  /**
   * All items, over all pages, as of one moment not before `askedAtMs`. An item that is not what it should be fails the
   * whole list: half an answer is none.
   * @throws KubernetesError
   */
  async list<S extends z.ZodType>(
    path: string,
    schema: S,
    options: {
      labelSelector?: string;
      fieldSelector?: string;
      signal?: AbortSignal | undefined;
      limit?: number;
    } = {},
  ): Promise<Listed<z.output<S>>> {
    try {
      return await this.listOnce(path, schema, options);
    } catch (error) {
      // The rest of a long list may have been compacted away: from the start, once.
      if (!isGone(error)) throw error;
      return this.listOnce(path, schema, options);
    }
  }

  /** Asks for the removal of that very namespace. @returns false when there is none */
  async deleteNamespace(name: string, uid: string, signal?: AbortSignal): Promise<boolean> {
    try {
      await this.retrying({
        method: 'DELETE',
        path: `/api/v1/namespaces/${encodeURIComponent(name)}`,
        body: JSON.stringify({
          apiVersion: 'v1',
          kind: 'DeleteOptions',
          preconditions: { uid },
          propagationPolicy: 'Background',
        }),
        deadlineMs: this.parts.callDeadlineMs,
        signal,
      });
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  /** Opens a watch; its lines are read by the caller. @throws KubernetesError, 410 when the version is too old */
  async watch(
    path: string,
    options: { labelSelector: string; resourceVersion: string; timeoutSeconds: number; signal: AbortSignal },
  ): Promise<IncomingMessage> {
    const { labelSelector, resourceVersion, timeoutSeconds, signal } = options;
    return this.http.stream({
      method: 'GET',
      path,
      query: { watch: true, allowWatchBookmarks: true, labelSelector, resourceVersion, timeoutSeconds },
      deadlineMs: this.parts.callDeadlineMs,
      signal,
    });
  }

  async log(
    namespace: string,
    pod: string,
    options: LogOptions,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const { container, follow, tailLines, sinceSeconds, limitBytes } = options;
    return this.http.stream({
      method: 'GET',
      path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/log`,
      query: { container, follow, tailLines, sinceSeconds, limitBytes },
      deadlineMs: this.parts.callDeadlineMs,
      signal,
    });
  }

  close(): void {
    this.http.close();
  }

  private async listOnce<S extends z.ZodType>(
    path: string,
    schema: S,
    options: {
      labelSelector?: string;
      fieldSelector?: string;
      signal?: AbortSignal | undefined;
      limit?: number;
    },
  ): Promise<Listed<z.output<S>>> {
    const { labelSelector, fieldSelector, signal, limit = Number.POSITIVE_INFINITY } = options;
    const askedAtMs = this.parts.clock.now();
    const items: z.output<S>[] = [];
    let token: string | undefined;
    for (let pages = 0; pages < MAX_PAGES; pages += 1) {
      const body = await this.retrying({
        method: 'GET',
        path,
        query: { labelSelector, fieldSelector, limit: Math.min(limit, PAGE_ITEMS), continue: token },
        deadlineMs: this.parts.callDeadlineMs,
        signal,
      });
      const page = parse(listSchema, body, path);
      for (const item of page.items) items.push(parse(schema, item, path));
      token = page.metadata.continue === '' ? undefined : page.metadata.continue;
      if (token === undefined || items.length >= limit) {
        return { items, resourceVersion: page.metadata.resourceVersion, askedAtMs };
      }
    }
    throw noAnswer(`${path}: more than ${MAX_PAGES} pages`);
  }

  /** Every call made through here may happen twice without harm. */
  private async retrying(call: Call): Promise<unknown> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.http.call(call);
      } catch (error) {
        // Without an answer the whole deadline may be spent already: the caller's own schedule decides then.
        const again = isTransient(error) && (error as KubernetesError).status !== 0;
        if (!again || attempt > MAX_RETRIES || call.signal?.aborted) throw error;
        const asked = (error as KubernetesError).retryAfterMs;
        const waitMs = Math.min(asked ?? 2 ** attempt * 50, 2_000) * (0.5 + this.parts.random.next());
        await pause(waitMs, undefined, call.signal ? { signal: call.signal } : {}).catch(() => undefined);
      }
    }
  }
}

const parse = <S extends z.ZodType>(schema: S, body: unknown, path: string): z.output<S> => {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw noAnswer(
    `${path}: the answer is not what it should be: /${issue?.path.join('/')}: ${issue?.message}`,
  );
};
