import type { ApiServer } from './api/server.ts';
import type { ResourceWriter } from './api/writer.ts';
import { LOST, NOT_READY } from './controllers/nodes.ts';
import type { FaultPlan, FaultRule } from './faults.ts';
import { NODES } from './kinds.ts';
import type { Node } from './objects.ts';
import { isGpuResource } from './nodes.ts';

/** How a cluster is out of reach: connections refused, or taken and never answered. */
export type Outage = 'refuse' | 'hang';

/** Everything that can be made to go wrong, for tests and demonstrations. */
export class ClusterFaults {
  private readonly plan: FaultPlan;
  private readonly server: ApiServer;
  private readonly writer: ResourceWriter;
  private outage: Outage | null = null;
  private recovery: NodeJS.Timeout | undefined;

  constructor(plan: FaultPlan, server: ApiServer, writer: ResourceWriter) {
    this.plan = plan;
    this.server = server;
    this.writer = writer;
  }

  add(rule: Omit<FaultRule, 'id'> & { id?: string }): string {
    return this.plan.add(rule);
  }

  remove(id: string): boolean {
    return this.plan.remove(id);
  }

  /** Takes back all rules; an outage and lost nodes stay. */
  clear(): void {
    this.plan.clear();
  }

  list(): readonly FaultRule[] {
    return this.plan.list();
  }

  get down(): Outage | null {
    return this.outage;
  }

  /** Takes the API away; pods run on. With `forMs` it comes back by itself. */
  async takeDown(outage: Outage, forMs?: number): Promise<void> {
    await this.bringUp();
    this.outage = outage;
    if (outage === 'hang') this.server.hang(true);
    else await this.server.refuse();
    if (forMs !== undefined) this.recovery = setTimeout(() => void this.bringUp(), forMs);
  }

  async bringUp(): Promise<void> {
    clearTimeout(this.recovery);
    if (this.outage === 'hang') this.server.hang(false);
    if (this.outage === 'refuse') await this.server.listen();
    this.outage = null;
  }

  /** The machine is gone: its pods answer no more, and nothing on it ends or starts until it is back. */
  loseNode(name: string): void {
    this.annotate(name, LOST, 'true');
  }

  /** The node's kubelet says that it is not ready; pods on it run on. */
  unreadyNode(name: string): void {
    this.annotate(name, NOT_READY, 'true');
  }

  restoreNode(name: string): void {
    this.annotate(name, LOST, null);
    this.annotate(name, NOT_READY, null);
  }

  /** Fewer GPUs, or parts of them, than the machine has are fit for use (a fallen-off device); null gives them all back. */
  limitGpus(name: string, gpus: number | null): void {
    const node = this.node(name);
    const allocatable = { ...node.status.allocatable };
    for (const [resource, capacity] of Object.entries(node.status.capacity)) {
      if (isGpuResource(resource)) allocatable[resource] = String(gpus ?? capacity);
    }
    this.writer.putStatus(NODES, node, { ...node.status, allocatable });
  }

  /** Forgets the past, so that watches and continue tokens from before are answered with 410. */
  compact(): void {
    this.writer.store.compact();
  }

  /** Cuts all open watches, without a word. */
  cutWatches(): number {
    const open = this.server.openWatches;
    for (const watch of open) watch.cut();
    return open.length;
  }

  /** Makes all open watches silent: they stay open and say nothing any more. */
  silenceWatches(): number {
    const open = this.server.openWatches;
    for (const watch of open) watch.silence();
    return open.length;
  }

  stop(): void {
    clearTimeout(this.recovery);
  }

  private node(name: string): Node {
    const node = this.writer.store.get<Node>(NODES, undefined, name);
    if (!node) throw new Error(`there is no node ${name}`);
    return node;
  }

  private annotate(name: string, key: string, value: string | null): void {
    const node = this.node(name);
    const { [key]: before, ...others } = node.metadata.annotations ?? {};
    if ((before ?? null) === value) return;
    const annotations = value === null ? others : { ...others, [key]: value };
    this.writer.put(NODES, { ...node, metadata: { ...node.metadata, annotations } });
  }
}
