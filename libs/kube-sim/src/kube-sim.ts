import { randomBytes, randomUUID } from 'node:crypto';
import { canonicalJson, type Clock, type Random, seededRandom, systemClock } from '@gridbourse/kernel';
import { createAdmin } from './admin.ts';
import { ApiServer } from './api/server.ts';
import { ResourceWriter } from './api/writer.ts';
import { type ControllerContext, defaultTimings, Timers, type Timings } from './controllers/context.ts';
import { ControllerManager } from './controllers/manager.ts';
import { ClusterFaults } from './cluster-faults.ts';
import { FaultPlan } from './faults.ts';
import { NAMESPACES, NODES, STORAGE_CLASSES } from './kinds.ts';
import { nodeObject, type SimNode } from './nodes.ts';
import type { KubeObject, Node } from './objects.ts';
import { Journal } from './storage/journal.ts';
import { ObjectStore } from './storage/store.ts';

export type KubeSimOptions = {
  nodes: readonly SimNode[];
  /** 0 (the default) takes a free port. */
  port?: number;
  host?: string;
  /** Where the cluster is kept; in memory alone when absent. */
  stateFile?: string;
  /** The bearer token; a new one is made (and kept in the state file) when absent. */
  token?: string;
  /** In the kubeconfig. */
  name?: string;
  /** Divides all timings: 2 is twice as fast. Run times of workloads are not touched. */
  speed?: number;
  timings?: Partial<Timings>;
  /** Images that match cannot be pulled; those with `does-not-exist` in their name when absent. */
  failingImages?: readonly RegExp[];
  /** Names of storage classes; the first is the default one. */
  storageClasses?: readonly string[];
  /** How many changes a watch can go back. */
  historyLimit?: number;
  bookmarkIntervalMs?: number;
  clock?: Clock;
  random?: Random;
  /** Errors inside controllers; they do not stop the cluster. */
  onError?: (error: unknown, what: string) => void;
};

/** A running cluster. */
export type KubeSim = {
  readonly url: string;
  readonly token: string;
  /** As `kubectl` and client-node read it (JSON, which is YAML). */
  readonly kubeconfig: string;
  readonly faults: ClusterFaults;
  /** The objects behind the API, for looking; changes go over HTTP. */
  readonly store: ObjectStore;
  /** Stops everything and leaves the state file complete. */
  close(): Promise<void>;
};

/** The API is plain HTTP on the loopback; client-node talks HTTP only where TLS is not to be verified. */
const kubeconfigOf = (name: string, server: string, token: string): string =>
  canonicalJson({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: `${name}-admin`, user: { token } }],
    contexts: [{ name, context: { cluster: name, user: `${name}-admin`, namespace: 'default' } }],
    'current-context': name,
  });

const faster = (timings: Timings, speed: number): Timings =>
  Object.fromEntries(Object.entries(timings).map(([name, ms]) => [name, ms / speed])) as Timings;

/** Namespaces, storage classes and nodes that a new cluster has; stored ones are left as they are. */
const furnish = (writer: ResourceWriter, options: KubeSimOptions): void => {
  const { store } = writer;
  for (const name of ['default', 'kube-system', 'kube-public', 'kube-node-lease']) {
    if (!store.get(NAMESPACES, undefined, name)) writer.create(NAMESPACES, undefined, { metadata: { name } });
  }
  for (const [i, name] of (options.storageClasses ?? ['standard']).entries()) {
    if (store.get(STORAGE_CLASSES, undefined, name)) continue;
    const annotations = i === 0 ? { 'storageclass.kubernetes.io/is-default-class': 'true' } : {};
    writer.create(STORAGE_CLASSES, undefined, {
      metadata: { name, annotations },
      provisioner: 'kube-sim',
      reclaimPolicy: 'Delete',
      volumeBindingMode: 'Immediate',
    });
  }
  for (const [i, node] of options.nodes.entries()) {
    const made = nodeObject(node, i);
    const known = store.get<Node>(NODES, undefined, node.name);
    if (!known) {
      writer.create(NODES, undefined, made);
      continue;
    }
    const { labels } = made.metadata as { labels: Record<string, string> };
    const next = {
      ...known,
      metadata: { ...known.metadata, labels: { ...known.metadata.labels, ...labels } },
      status: { ...known.status, ...(made.status as Node['status']) },
    } as KubeObject;
    if (canonicalJson(next) !== canonicalJson(known)) writer.put(NODES, next);
  }
  for (const node of store.list(NODES)) {
    if (!options.nodes.some(({ name }) => name === node.metadata.name))
      store.remove(NODES, undefined, node.metadata.name);
  }
};

/**
 * Starts a cluster that speaks the Kubernetes HTTP API. With a `stateFile` it goes on where it was: a change is in
 * the file before its request is answered.
 */
export const startKubeSim = async (options: KubeSimOptions): Promise<KubeSim> => {
  const { host = '127.0.0.1', port = 0, name = 'kube-sim', clock = systemClock } = options;
  const random = options.random ?? seededRandom(randomBytes(4).readUInt32LE());
  const onError = options.onError ?? (() => {});
  let journal: Journal | undefined;
  const store = new ObjectStore({
    historyLimit: options.historyLimit ?? 2_000,
    persist: (change) => journal?.append(change),
  });
  const newToken = (): string => randomBytes(32).toString('base64url');
  if (options.stateFile !== undefined) {
    journal = Journal.open(options.stateFile, store, {
      clusterId: randomUUID(),
      token: options.token,
      newToken,
    });
  }
  const token = options.token ?? journal?.identity.token ?? newToken();
  const timings = faster({ ...defaultTimings, ...options.timings }, options.speed ?? 1);
  const timers = new Timers(onError);
  const writer = new ResourceWriter(store, clock);
  furnish(writer, options);

  const failingImages = options.failingImages ?? [/does-not-exist/];
  const makeContext = (enqueue: ControllerContext['enqueue']): ControllerContext => ({
    ...{ store, writer, clock, random, timings, timers, failingImages, enqueue },
  });
  const plan = new FaultPlan(random);
  const server = new ApiServer({
    ...{ host, port, token, store, writer, clock, faults: plan },
    bookmarkIntervalMs: options.bookmarkIntervalMs ?? 15_000,
    admin: (method, path, body) => admin(method, path, body),
  });
  const faults = new ClusterFaults(plan, server, writer);
  const admin = createAdmin(faults);
  const unsubscribe = store.subscribe(() => {
    if (journal?.needsCompaction(store)) timers.set('compaction', 0, () => journal?.compact(store));
  });
  const manager = new ControllerManager(makeContext, onError);
  await server.listen();

  return {
    get url() {
      return server.url;
    },
    token,
    get kubeconfig() {
      return kubeconfigOf(name, server.url, token);
    },
    faults,
    store,
    close: async () => {
      manager.stop();
      timers.stop();
      unsubscribe();
      faults.stop();
      await server.refuse();
      journal?.compact(store);
      journal?.close();
      journal = undefined;
    },
  };
};
