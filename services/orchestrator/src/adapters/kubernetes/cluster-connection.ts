import type { Clock, ProviderId, Random } from '@gridbourse/kernel';
import type { Logger } from '@gridbourse/observability';
import type { z } from 'zod';
import type { PodView } from '../../domain/evidence.ts';
import { LABEL_MANAGED_BY } from '../../domain/objects/names.ts';
import type { NodeFacts } from '../../domain/objects/object-types.ts';
import {
  type ClusterEvent,
  clusterEvent,
  eventSchema,
  namespaceSchema,
  type NamespaceView,
  namespaceView,
  nodeFacts,
  nodeSchema,
  podSchema,
  podView,
  serviceSchema,
} from './cluster-schemas.ts';
import type { KubernetesApi } from './kubernetes-api.ts';
import { ListWatch } from './list-watch.ts';
import { ObjectCache } from './object-cache.ts';

const MAX_EVENTS = 300;
const NODES_FRESH_MS = 60_000;

export type ConnectionOptions = {
  readonly providerId: ProviderId;
  readonly api: KubernetesApi;
  readonly managedBy: string;
  readonly watchIdleMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Something of ours changed in these namespaces, or may have. */
  readonly onChange: (namespaces: readonly string[]) => void;
};

/** Pods of a namespace as the cluster showed them, and the instant that this is known to be true of. */
export type PodSight = { readonly pods: readonly PodView[]; readonly provenAtMs: number };

/** One provider's cluster: what is seen of it, since when, and the calls that can be made. */
export class ClusterConnection {
  readonly providerId: ProviderId;
  readonly api: KubernetesApi;
  private readonly pods = new ObjectCache<PodView>();
  private readonly namespaces = new ObjectCache<NamespaceView>();
  private readonly podsByNamespace = new Map<string, Map<string, PodView>>();
  private readonly watches: readonly Pick<ListWatch<unknown>, 'start' | 'stop'>[];
  private readonly selector: string;
  private podsProvenAtMs = 0;
  private namespacesProvenAtMs = 0;
  private nodes: { readonly facts: Record<string, NodeFacts>; readonly atMs: number } | null = null;

  constructor(private readonly options: ConnectionOptions) {
    this.providerId = options.providerId;
    this.api = options.api;
    this.selector = `${LABEL_MANAGED_BY}=${options.managedBy}`;
    const { clock, random, logger, api } = options;
    const common = { api, labelSelector: this.selector, idleMs: options.watchIdleMs, clock, random, logger };
    this.watches = [
      new ListWatch<z.output<typeof podSchema>>({
        ...common,
        name: `${options.providerId} pods`,
        path: '/api/v1/pods',
        schema: podSchema,
        versionOf: (pod) => pod.metadata.resourceVersion,
        onList: (pods, version, atMs) => this.takePods(pods, version, atMs, 'anew'),
        onChange: (type, pod, atMs) => this.takePod(type, pod, atMs),
        onProof: (atMs) => (this.podsProvenAtMs = Math.max(this.podsProvenAtMs, atMs)),
        onLost: () => undefined,
      }),
      new ListWatch<z.output<typeof namespaceSchema>>({
        ...common,
        name: `${options.providerId} namespaces`,
        path: '/api/v1/namespaces',
        schema: namespaceSchema,
        versionOf: (namespace) => namespace.metadata.resourceVersion,
        onList: (namespaces, version, atMs) => this.takeNamespaces(namespaces, version, atMs, 'anew'),
        onChange: (type, namespace, atMs) => this.takeNamespace(type, namespace, atMs),
        onProof: (atMs) => (this.namespacesProvenAtMs = Math.max(this.namespacesProvenAtMs, atMs)),
        onLost: () => undefined,
      }),
    ];
  }

  start(): void {
    for (const watch of this.watches) watch.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.watches.map((watch) => watch.stop()));
    this.api.close();
  }

  /** The last instant at which the cluster showed its pods; 0 before it ever did. */
  get provenAtMs(): number {
    return this.podsProvenAtMs;
  }

  /** Both collections have been listed since the connection was made. */
  get isListed(): boolean {
    return this.podsProvenAtMs > 0 && this.namespacesProvenAtMs > 0;
  }

  sightOf(namespace: string): PodSight {
    return {
      pods: [...(this.podsByNamespace.get(namespace)?.values() ?? [])],
      provenAtMs: this.podsProvenAtMs,
    };
  }

  /** As last seen; undefined may also mean that it is not seen yet, and is no proof of absence. */
  namespaceSeen(name: string): NamespaceView | undefined {
    return this.namespaces.get(name);
  }

  /** Lists all pods of ours anew: proof for every lease of the cluster at once. @throws KubernetesError */
  async refreshPods(): Promise<void> {
    const listed = await this.api.list('/api/v1/pods', podSchema, { labelSelector: this.selector });
    this.takePods(listed.items, listed.resourceVersion, listed.askedAtMs, 'beside');
  }

  /** Asks about one namespace alone. @throws KubernetesError */
  async readPods(namespace: string): Promise<PodSight> {
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`;
    const listed = await this.api.list(path, podSchema, { labelSelector: this.selector });
    return { pods: listed.items.map(podView), provenAtMs: listed.askedAtMs };
  }

  /**
   * Asks for one pod by its name: the one way to know that a pod which a list left out is gone.
   * @returns whether a pod of that uid is still there; if so it is seen again
   * @throws KubernetesError
   */
  async findPod(namespace: string, pod: { name: string; uid: string }): Promise<boolean> {
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod.name)}`;
    const found = await this.api.get(path, podSchema);
    if (found?.metadata.uid !== pod.uid) return false;
    this.pods.put(pod.uid, podView(found), found.metadata.resourceVersion);
    this.index();
    return true;
  }

  /** @returns null on proof: the cluster answered that there is no such namespace. @throws KubernetesError */
  async readNamespace(name: string): Promise<NamespaceView | null> {
    const found = await this.api.get(`/api/v1/namespaces/${encodeURIComponent(name)}`, namespaceSchema);
    return found && namespaceView(found);
  }

  /** Every namespace that bears our label. @throws KubernetesError */
  async listNamespaces(): Promise<readonly NamespaceView[]> {
    const listed = await this.api.list('/api/v1/namespaces', namespaceSchema, {
      labelSelector: this.selector,
    });
    this.takeNamespaces(listed.items, listed.resourceVersion, listed.askedAtMs, 'beside');
    return listed.items.map(namespaceView);
  }

  /** The cluster's events of one namespace, oldest first. @throws KubernetesError */
  async readEvents(namespace: string): Promise<readonly ClusterEvent[]> {
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/events`;
    const { items } = await this.api.list(path, eventSchema, { limit: MAX_EVENTS });
    return items.map(clusterEvent).sort((a, b) => a.atMs - b.atMs);
  }

  /** The node port given to a port of a Service; null while there is none. @throws KubernetesError */
  async readNodePorts(
    namespace: string,
  ): Promise<(service: string, port: number, protocol: string) => number | null> {
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/services`;
    const { items } = await this.api.list(path, serviceSchema, { labelSelector: this.selector });
    return (service, port, protocol) => {
      const ports = items.find(({ metadata }) => metadata.name === service)?.spec.ports ?? [];
      return ports.find((each) => each.port === port && each.protocol === protocol)?.nodePort ?? null;
    };
  }

  /** What the machines say of themselves, at most a minute old. @throws KubernetesError */
  async readNodes(): Promise<Readonly<Record<string, NodeFacts>>> {
    const now = this.options.clock.now();
    if (this.nodes && now - this.nodes.atMs < NODES_FRESH_MS) return this.nodes.facts;
    const { items } = await this.api.list('/api/v1/nodes', nodeSchema);
    this.nodes = {
      facts: Object.fromEntries(items.map((node) => [node.metadata.name, nodeFacts(node)])),
      atMs: now,
    };
    return this.nodes.facts;
  }

  private takePods(
    pods: readonly z.output<typeof podSchema>[],
    version: string,
    atMs: number,
    how: 'anew' | 'beside',
  ): void {
    const first = this.podsProvenAtMs === 0;
    const items = pods.map((pod) => {
      return { key: pod.metadata.uid, item: podView(pod), version: pod.metadata.resourceVersion };
    });
    const changed = this.pods.replace(items, version, how);
    this.podsProvenAtMs = Math.max(this.podsProvenAtMs, atMs);
    this.index();
    const namespaces = first ? [...this.podsByNamespace.keys()] : changed.map((pod) => pod.namespace);
    if (namespaces.length > 0) this.options.onChange([...new Set(namespaces)]);
  }

  private takePod(
    type: 'ADDED' | 'MODIFIED' | 'DELETED',
    pod: z.output<typeof podSchema>,
    atMs: number,
  ): void {
    const view = podView(pod);
    const { uid, resourceVersion } = pod.metadata;
    const news =
      type === 'DELETED' ? this.pods.remove(uid, resourceVersion) : this.pods.put(uid, view, resourceVersion);
    this.podsProvenAtMs = Math.max(this.podsProvenAtMs, atMs);
    if (!news) return;
    const own = this.podsByNamespace.get(view.namespace) ?? new Map<string, PodView>();
    if (type === 'DELETED') own.delete(uid);
    else own.set(uid, view);
    if (own.size === 0) this.podsByNamespace.delete(view.namespace);
    else this.podsByNamespace.set(view.namespace, own);
    this.options.onChange([view.namespace]);
  }

  private index(): void {
    this.podsByNamespace.clear();
    for (const { item } of this.pods.values()) {
      const own = this.podsByNamespace.get(item.namespace);
      if (own) own.set(item.uid, item);
      else this.podsByNamespace.set(item.namespace, new Map([[item.uid, item]]));
    }
  }

  private takeNamespaces(
    list: readonly z.output<typeof namespaceSchema>[],
    version: string,
    atMs: number,
    how: 'anew' | 'beside',
  ): void {
    const items = list.map((each) => {
      return { key: each.metadata.name, item: namespaceView(each), version: each.metadata.resourceVersion };
    });
    const changed = this.namespaces.replace(items, version, how);
    this.namespacesProvenAtMs = Math.max(this.namespacesProvenAtMs, atMs);
    if (changed.length > 0) this.options.onChange(changed.map(({ name }) => name));
  }

  private takeNamespace(
    type: 'ADDED' | 'MODIFIED' | 'DELETED',
    namespace: z.output<typeof namespaceSchema>,
    atMs: number,
  ): void {
    const { name, resourceVersion } = namespace.metadata;
    if (type === 'DELETED') this.namespaces.remove(name, resourceVersion);
    else this.namespaces.put(name, namespaceView(namespace), resourceVersion);
    this.namespacesProvenAtMs = Math.max(this.namespacesProvenAtMs, atMs);
    this.options.onChange([name]);
  }
}
