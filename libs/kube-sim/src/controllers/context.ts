import type { Clock, Random } from '@gridbourse/kernel';
import { EVENTS, type ResourceKind, storageName } from '../kinds.ts';
import { controllerOf, type KubeEvent, kubeTime, type KubeObject } from '../objects.ts';
import type { ObjectStore } from '../storage/store.ts';
import { randomSuffix, type ResourceWriter } from '../api/writer.ts';

/** How long the steps of the cluster take, in milliseconds. */
export type Timings = {
  /** From the creation of a pod to its binding to a node. */
  scheduleMs: number;
  /** From the binding to Running: shortest and longest. */
  startMinMs: number;
  startMaxMs: number;
  /** From the end of a pod's grace to its removal. */
  stopMs: number;
  /** From the deletion of a namespace to the removal of its contents. */
  namespaceMs: number;
  /** First wait before an image is pulled again, and before a failed container is started again; doubles. */
  backOffMs: number;
  /** Longest wait between two tries. */
  maxBackOffMs: number;
  /** From the loss of a node to its condition Ready=Unknown. */
  nodeLostMs: number;
};

export const defaultTimings: Timings = {
  scheduleMs: 20,
  startMinMs: 100,
  startMaxMs: 300,
  stopMs: 50,
  namespaceMs: 100,
  backOffMs: 10_000,
  maxBackOffMs: 300_000,
  nodeLostMs: 2_000,
};

/** What every controller works with. */
export type ControllerContext = {
  readonly store: ObjectStore;
  readonly writer: ResourceWriter;
  readonly clock: Clock;
  readonly random: Random;
  readonly timings: Timings;
  readonly timers: Timers;
  /** Images that cannot be pulled. */
  readonly failingImages: readonly RegExp[];
  /** Has this controller look at an object (again) soon. */
  readonly enqueue: (controller: string, key: string) => void;
};

/** Looks at one object and does what is missing. Runs to its end without waiting for anything. */
export type Controller = {
  readonly name: string;
  /** Keys to look at because of this change; the key of an object is `<namespace>/<name>`. */
  readonly interestedIn: (resource: string, object: KubeObject) => readonly string[];
  readonly reconcile: (key: string) => void;
  /** What to look at when the process starts on stored state. */
  readonly everything: () => readonly string[];
};

export const keyOf = (object: KubeObject): string =>
  `${object.metadata.namespace ?? ''}/${object.metadata.name}`;

/** For a controller of objects of one kind that makes objects of another: a change of either is looked at. */
export const ownAndOwned =
  (own: ResourceKind, owned: ResourceKind): Controller['interestedIn'] =>
  (resource, object) => {
    if (resource === storageName(own)) return [keyOf(object)];
    const owner = resource === storageName(owned) ? controllerOf(object) : undefined;
    return owner?.kind === own.kind ? [`${object.metadata.namespace}/${owner.name}`] : [];
  };

export const splitKey = (key: string): [namespace: string, name: string] => {
  const at = key.indexOf('/');
  return [key.slice(0, at), key.slice(at + 1)];
};

/** Named timers: setting one again moves it. */
export class Timers {
  private readonly running = new Map<string, NodeJS.Timeout>();
  private readonly onError: (error: unknown, what: string) => void;
  private stopped = false;

  constructor(onError: (error: unknown, what: string) => void) {
    this.onError = onError;
  }

  set(name: string, delayMs: number, task: () => void): void {
    this.cancel(name);
    if (this.stopped) return;
    const timer = setTimeout(
      () => {
        this.running.delete(name);
        try {
          task();
        } catch (error) {
          this.onError(error, name);
        }
      },
      Math.min(Math.max(0, delayMs), 2 ** 31 - 1),
    );
    this.running.set(name, timer);
  }

  has(name: string): boolean {
    return this.running.has(name);
  }

  cancel(name: string): void {
    const timer = this.running.get(name);
    if (timer) clearTimeout(timer);
    this.running.delete(name);
  }

  stop(): void {
    this.stopped = true;
    for (const timer of this.running.values()) clearTimeout(timer);
    this.running.clear();
  }
}

export type Happening = { type: 'Normal' | 'Warning'; reason: string; message: string; component: string };

const MAX_EVENTS_PER_OBJECT = 30;

/** Writes an Event about an object; the same event again raises its count. Silent where the namespace is going. */
export const recordEvent = (
  { store, writer, clock }: ControllerContext,
  about: KubeObject,
  { type, reason, message, component }: Happening,
): void => {
  const namespace = about.metadata.namespace ?? 'default';
  const now = kubeTime(clock.now());
  const own = store
    .list<KubeEvent>(EVENTS, namespace)
    .filter(
      (each) =>
        each.involvedObject.uid === about.metadata.uid &&
        each.metadata.name.startsWith(`${about.metadata.name}.`),
    );
  const same = own.find((each) => each.reason === reason && each.message === message);
  if (same) {
    writer.put(EVENTS, { ...same, count: same.count + 1, lastTimestamp: now });
    return;
  }
  if (own.length >= MAX_EVENTS_PER_OBJECT) store.remove(EVENTS, namespace, own[0]!.metadata.name);
  const { apiVersion, kind, metadata } = about;
  try {
    writer.create(EVENTS, namespace, {
      metadata: { name: `${metadata.name}.${clock.now().toString(16)}${randomSuffix(4)}` },
      involvedObject: {
        apiVersion,
        kind,
        name: metadata.name,
        uid: metadata.uid,
        ...(metadata.namespace === undefined ? {} : { namespace }),
      },
      reason,
      message,
      type,
      source: { component },
      reportingComponent: component,
      reportingInstance: component,
      count: 1,
      firstTimestamp: now,
      lastTimestamp: now,
    });
  } catch {
    // a namespace that is being deleted takes no new events, here as in the real server
  }
};

/** Deletes what a controller made; it may be gone already. */
export const removeQuietly = (
  { store, writer }: ControllerContext,
  kind: ResourceKind,
  object: KubeObject,
  gracePeriodSeconds?: number,
): void => {
  const { namespace, name, uid } = object.metadata;
  if (store.get(kind, namespace, name)?.metadata.uid !== uid) return;
  writer.remove(kind, namespace, name, { gracePeriodSeconds });
};
