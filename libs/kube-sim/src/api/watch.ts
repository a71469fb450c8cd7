import type { ServerResponse } from 'node:http';
import { apiVersionOf, type ResourceKind, storageName } from '../kinds.ts';
import type { KubeObject } from '../objects.ts';
import type { Change, ChangeType, ObjectStore } from '../storage/store.ts';
import { parseRevision } from './list.ts';
import { matcherOf, type Matcher } from './selectors.ts';
import { ApiError, expired } from './status.ts';

export type WatchContext = {
  store: ObjectStore;
  kind: ResourceKind;
  namespace: string | undefined;
  /** For a watch of a single object by its path. */
  name: string | undefined;
  query: URLSearchParams;
  bookmarkIntervalMs: number;
};

const MAX_UNREAD_BYTES = 16 * 1024 * 1024;

/** An open watch; faults can silence it (it stays open and says nothing) or cut it. */
export class WatchStream {
  readonly kind: ResourceKind;
  private readonly response: ServerResponse;
  private readonly matches: Matcher;
  private readonly context: WatchContext;
  private readonly stops: (() => void)[] = [];
  private silent = false;
  private seen: number;

  constructor(response: ServerResponse, context: WatchContext) {
    this.response = response;
    this.context = context;
    this.kind = context.kind;
    const selected = matcherOf(context.kind, context.query);
    const { namespace, name } = context;
    this.matches = (object) =>
      (namespace === undefined || object.metadata.namespace === namespace) &&
      (name === undefined || object.metadata.name === name) &&
      selected(object);
    this.seen = parseRevision(context.query.get('resourceVersion')) ?? 0;
    response.on('close', () => this.stop());
  }

  start(): void {
    const { store, query } = this.context;
    this.response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-cache' });
    this.response.flushHeaders();
    if (this.seen > store.revision) return this.refuse(tooLarge(this.seen, store.revision));
    if (this.seen !== 0 && this.seen < store.oldestRevision) {
      return this.refuse(expired(`too old resource version: ${this.seen} (${store.oldestRevision})`));
    }
    this.stops.push(store.subscribe((change) => this.hear(change)));
    const initial = query.get('sendInitialEvents') === 'true';
    if (this.seen === 0 || initial) {
      for (const object of store.list(this.kind, this.context.namespace)) {
        if (this.matches(object)) this.send('ADDED', object);
      }
      this.seen = store.revision;
      if (initial && this.wantsBookmarks()) this.bookmark({ 'k8s.io/initial-events-end': 'true' });
    } else {
      const missed = store.changesAfter(this.kind, this.seen);
      this.seen = store.revision;
      for (const change of missed) this.pass(change);
    }
    if (this.wantsBookmarks()) this.every(this.context.bookmarkIntervalMs, () => this.bookmark());
    const seconds = Number(query.get('timeoutSeconds') ?? 0);
    if (seconds > 0) this.after(seconds * 1_000, () => this.expire());
  }

  /** From now on nothing is sent, and the connection stays. */
  silence(): void {
    this.silent = true;
  }

  /** Cuts the connection as a network does, without a word. */
  cut(): void {
    this.stop();
    this.response.destroy();
  }

  private hear(change: Change): void {
    if (change.resource !== storageName(this.kind)) return;
    this.seen = change.revision;
    this.pass(change);
  }

  /** An object that starts or stops to match a selector appears or disappears for this watcher. */
  private pass(change: Change): void {
    const is = this.matches(change.object);
    const was = change.previous !== null && this.matches(change.previous);
    if (change.type === 'DELETED') {
      if (was) this.send('DELETED', change.object);
    } else if (is) {
      this.send(was ? 'MODIFIED' : 'ADDED', change.object);
    } else if (was) {
      const { resourceVersion } = change.object.metadata;
      const gone = { ...change.previous, metadata: { ...change.previous.metadata, resourceVersion } };
      this.send('DELETED', gone);
    }
  }

  private send(type: ChangeType | 'BOOKMARK' | 'ERROR', object: KubeObject | object): void {
    if (this.silent || this.response.writableEnded) return;
    // A client that reads nothing must not fill our memory.
    if (this.response.writableLength > MAX_UNREAD_BYTES) return this.cut();
    this.response.write(`${JSON.stringify({ type, object })}\n`);
  }

  private bookmark(annotations?: Record<string, string>): void {
    const { store } = this.context;
    this.send('BOOKMARK', {
      kind: this.kind.kind,
      apiVersion: apiVersionOf(this.kind),
      metadata: {
        resourceVersion: String(store.revision),
        creationTimestamp: null,
        ...(annotations ? { annotations } : {}),
      },
    });
  }

  private wantsBookmarks(): boolean {
    return this.context.query.get('allowWatchBookmarks') === 'true';
  }

  private expire(): void {
    if (this.wantsBookmarks()) this.bookmark();
    this.stop();
    if (!this.silent) this.response.end();
  }

  private refuse(error: ApiError): void {
    this.send('ERROR', error.status);
    this.response.end();
  }

  private stop(): void {
    for (const stop of this.stops.splice(0)) stop();
  }

  private every(ms: number, task: () => void): void {
    const timer = setInterval(task, ms);
    this.stops.push(() => clearInterval(timer));
  }

  private after(ms: number, task: () => void): void {
    const timer = setTimeout(task, Math.min(ms, 2 ** 31 - 1));
    this.stops.push(() => clearTimeout(timer));
  }
}

const tooLarge = (asked: number, current: number): ApiError =>
  new ApiError(504, 'Timeout', `Too large resource version: ${asked}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  });
