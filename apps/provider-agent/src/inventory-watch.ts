import type { Clock } from '@gridbourse/kernel';
import type { Logger } from '@gridbourse/observability';
import type { registryV1 } from '@gridbourse/proto';
import type { Cluster } from './adapters/cluster.ts';
import type { AgentConfig } from './config.ts';
import { type Machine, reportOf, unknownReport } from './domain/machine.ts';

/** Looks at the cluster at intervals and knows how old its knowledge is. */
export class InventoryWatch {
  private machines: readonly Machine[] | null = null;
  private seenAtMs = Number.NEGATIVE_INFINITY;
  private timer: NodeJS.Timeout | undefined;
  private first: Promise<void> | undefined;
  private stopped = false;
  private reachable = true;

  private readonly cluster: Cluster;
  private readonly config: Pick<AgentConfig, 'inventoryEveryMs' | 'inventoryStaleMs'>;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly onSeen: (machines: readonly Machine[]) => void;

  constructor(parts: {
    cluster: Cluster;
    config: Pick<AgentConfig, 'inventoryEveryMs' | 'inventoryStaleMs'>;
    clock: Clock;
    logger: Logger;
    onSeen: (machines: readonly Machine[]) => void;
  }) {
    this.cluster = parts.cluster;
    this.config = parts.config;
    this.clock = parts.clock;
    this.logger = parts.logger;
    this.onSeen = parts.onSeen;
  }

  /** Settles after the first look, whether it saw anything or not. */
  start(): Promise<void> {
    this.first ??= this.look();
    return this.first;
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  /**
   * What a heartbeat may claim now. While the cluster does not answer, its machines are told as not ready: nothing is
   * known of them.
   * @param expected names of machines to speak for when none was seen since the start
   */
  report(expected: readonly string[]): registryV1.NodeInventory[] {
    const fresh = this.clock.now() - this.seenAtMs <= this.config.inventoryStaleMs;
    if (this.machines && fresh) return this.machines.map(reportOf);
    return (this.machines?.map(({ name }) => name) ?? expected).map(unknownReport);
  }

  private async look(): Promise<void> {
    try {
      const machines = await this.cluster.machines();
      this.machines = machines;
      this.seenAtMs = this.clock.now();
      if (!this.reachable) this.logger.info({ machines: machines.length }, 'the cluster answers again');
      this.reachable = true;
      this.onSeen(machines);
    } catch (error) {
      if (this.reachable) this.logger.warn({ err: error }, 'the cluster does not answer');
      this.reachable = false;
    }
    if (!this.stopped) this.timer = setTimeout(() => void this.look(), this.config.inventoryEveryMs);
  }
}
