import type { KubeObject } from '../objects.ts';
import { type ResourceKind, resourceKinds, storageName } from '../kinds.ts';

export type ChangeType = 'ADDED' | 'MODIFIED' | 'DELETED';

/** One step of history. `object` of a deletion is the last state, with the revision of the deletion. */
export type Change = {
  readonly revision: number;
  readonly type: ChangeType;
  readonly resource: string;
  readonly object: KubeObject;
  readonly previous: KubeObject | null;
};

export type StoreOptions = {
  /** How many changes can be watched from the past; older resource versions get 410. */
  historyLimit: number;
  /** Called before a change becomes visible; when it throws, the change did not happen. */
  persist?: (change: Change) => void;
};

/** Objects of one resource: namespace (empty for cluster objects) -> name -> object. */
type Shelf = Map<string, Map<string, KubeObject>>;

/**
 * All objects of the cluster under one revision counter, as in etcd: every change has a revision of its own, and the
 * recent ones are kept so that a watch can start in the past.
 */
export class ObjectStore {
  private readonly resources = new Map<string, Shelf>();
  private readonly listeners = new Set<(change: Change) => void>();
  private history: Change[] = [];
  private current = 1;
  private compacted = 1;
  private readonly options: StoreOptions;

  constructor(options: StoreOptions) {
    this.options = options;
    for (const kind of resourceKinds) this.resources.set(storageName(kind), new Map());
  }

  /** Revision of the newest change. */
  get revision(): number {
    return this.current;
  }

  /** Watches and exact lists can go back to this revision and no further. */
  get oldestRevision(): number {
    return this.compacted;
  }

  get size(): number {
    let total = 0;
    for (const shelf of this.resources.values()) for (const objects of shelf.values()) total += objects.size;
    return total;
  }

  get<T extends KubeObject = KubeObject>(
    kind: ResourceKind,
    namespace: string | undefined,
    name: string,
  ): T | undefined {
    const objects = this.of(storageName(kind)).get(kind.namespaced ? (namespace ?? '') : '');
    return objects?.get(name) as T | undefined;
  }

  /** Objects in the order of their keys, as etcd gives them. */
  list<T extends KubeObject = KubeObject>(kind: ResourceKind, namespace?: string): T[] {
    return ordered(this.of(storageName(kind)), namespace) as T[];
  }

  /** The list as it was at a revision that is not compacted yet. */
  listAt(kind: ResourceKind, namespace: string | undefined, revision: number): KubeObject[] {
    const resource = storageName(kind);
    const past: Shelf = new Map();
    for (const [home, objects] of this.of(resource)) past.set(home, new Map(objects));
    for (let i = this.history.length - 1; i >= 0; i -= 1) {
      const change = this.history[i]!;
      if (change.revision <= revision) break;
      if (change.resource !== resource) continue;
      if (change.previous) place(past, change.previous);
      else take(past, change.object);
    }
    return ordered(past, namespace);
  }

  changesAfter(kind: ResourceKind, revision: number): Change[] {
    const resource = storageName(kind);
    return this.history.filter((change) => change.revision > revision && change.resource === resource);
  }

  /** Stores an object, new or changed, and returns it with its new resource version. */
  put<T extends KubeObject>(kind: ResourceKind, object: T): T {
    const resource = storageName(kind);
    const { namespace, name } = object.metadata;
    const previous =
      this.of(resource)
        .get(namespace ?? '')
        ?.get(name) ?? null;
    const revision = this.current + 1;
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } };
    this.apply({ revision, type: previous ? 'MODIFIED' : 'ADDED', resource, object: stored, previous });
    return stored;
  }

  remove(kind: ResourceKind, namespace: string | undefined, name: string): KubeObject | undefined {
    const resource = storageName(kind);
    const previous = this.get(kind, namespace, name);
    if (!previous) return undefined;
    const revision = this.current + 1;
    const object = { ...previous, metadata: { ...previous.metadata, resourceVersion: String(revision) } };
    this.apply({ revision, type: 'DELETED', resource, object, previous });
    return object;
  }

  /** Listeners run synchronously, in order of subscription, after the change is visible. */
  subscribe(listener: (change: Change) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Forgets all history: watches from before now are answered with 410. */
  compact(): void {
    this.history = [];
    this.compacted = this.current;
  }

  /** Puts back an object of a snapshot, without history. */
  restore(resource: string, object: KubeObject): void {
    place(this.of(resource), object);
  }

  /** Sets the counter to where the snapshot was taken. */
  restoreRevision(revision: number): void {
    this.current = revision;
    this.compacted = revision;
  }

  /** Replays a change that was persisted before. */
  replay(change: Omit<Change, 'previous'>): void {
    const { namespace, name } = change.object.metadata;
    this.record({
      ...change,
      previous:
        this.of(change.resource)
          .get(namespace ?? '')
          ?.get(name) ?? null,
    });
  }

  /** Everything there is, for a snapshot. */
  *entries(): Iterable<{ resource: string; object: KubeObject }> {
    for (const [resource, shelf] of this.resources) {
      for (const objects of shelf.values()) for (const object of objects.values()) yield { resource, object };
    }
  }

  private apply(change: Change): void {
    this.options.persist?.(change);
    this.record(change);
    for (const listener of this.listeners) listener(change);
  }

  private record(change: Change): void {
    if (change.type === 'DELETED') take(this.of(change.resource), change.object);
    else place(this.of(change.resource), change.object);
    this.current = change.revision;
    this.history.push(change);
    if (this.history.length > this.options.historyLimit * 2) {
      const dropped = this.history.length - this.options.historyLimit;
      this.compacted = this.history[dropped - 1]!.revision;
      this.history = this.history.slice(dropped);
    }
  }

  private of(resource: string): Shelf {
    let shelf = this.resources.get(resource);
    if (!shelf) {
      shelf = new Map();
      this.resources.set(resource, shelf);
    }
    return shelf;
  }
}

const place = (shelf: Shelf, object: KubeObject): void => {
  const home = object.metadata.namespace ?? '';
  let objects = shelf.get(home);
  if (!objects) {
    objects = new Map();
    shelf.set(home, objects);
  }
  objects.set(object.metadata.name, object);
};

const take = (shelf: Shelf, object: KubeObject): void => {
  const home = object.metadata.namespace ?? '';
  const objects = shelf.get(home);
  objects?.delete(object.metadata.name);
  if (objects?.size === 0) shelf.delete(home);
};

const ordered = (shelf: Shelf, namespace: string | undefined): KubeObject[] => {
  const homes = namespace === undefined ? [...shelf.keys()].sort() : [namespace];
  return homes.flatMap((home) => {
    const objects = shelf.get(home);
    return objects ? [...objects.keys()].sort().map((name) => objects.get(name)!) : [];
  });
};
