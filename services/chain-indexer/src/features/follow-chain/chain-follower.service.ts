import { CLOCK, LOGGER, METER, Outbox, PeriodicTasks, Readiness, SERVICE_CONFIG } from '@gridbourse/api';
import { HttpRpc, isRpcUnavailable, RpcError } from '@gridbourse/chain';
import type { Clock } from '@gridbourse/kernel';
import type { Logger, Meter } from '@gridbourse/observability';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { ChainSource } from '../../adapters/chain-source.ts';
import { IndexStore } from '../../adapters/index-store.ts';
import type { ChainIndexerConfig } from '../../chain-indexer.config.ts';
import { isUntrustworthy } from '../../domain/trust.ts';
import { Follower, type FollowerStatus } from './follower.ts';

/** Without a fitting answer of the node for so long, the service is not ready. */
const STALE_AFTER_MS = 10_000;
/** Most steps in one turn: a stop does not have to wait for the end of a long backfill. */
const STEPS_PER_TURN = 50;

/** Runs the follower on our own clock, and shows how it does. */
@Injectable()
export class ChainFollower implements OnApplicationBootstrap {
  private readonly follower: Follower;
  private readonly failures;
  private failing = false;

  constructor(
    store: IndexStore,
    outbox: Outbox,
    private readonly tasks: PeriodicTasks,
    readiness: Readiness,
    @Inject(SERVICE_CONFIG) private readonly config: ChainIndexerConfig,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(METER) meter: Meter,
  ) {
    const counter = (name: string, description: string) =>
      meter.createCounter(`gridbourse_chain_${name}`, { description });
    const logs = counter('logs', 'Logs taken in');
    const retracted = counter('retracted_blocks', 'Blocks that a reorganisation took back');
    this.failures = counter('look_failures', 'Looks at the node that failed, by cause');
    this.follower = new Follower({
      source: new ChainSource(
        new HttpRpc(config.rpcUrl, { timeoutMs: config.rpcTimeoutMs }),
        config.deployment,
      ),
      store,
      clock,
      logger,
      ...config.deployment,
      ...config,
      onStep: (step) => {
        logs.add(step.logs);
        retracted.add(step.retractedBlocks);
        outbox.wake();
      },
    });
    readiness.add('chain', () => this.check());
    meter
      .createObservableGauge('gridbourse_chain_block', { description: 'Block numbers, by watermark' })
      .addCallback((result) => {
        const { heads, position } = this.status();
        if (heads) result.observe(heads.latest.number, { mark: 'latest' });
        if (heads?.safe) result.observe(heads.safe.number, { mark: 'safe' });
        if (heads?.finalized) result.observe(heads.finalized.number, { mark: 'finalized' });
        if (!position) return;
        result.observe(position.indexed.number, { mark: 'indexed' });
        result.observe(position.final.number, { mark: 'final' });
      });
    meter
      .createObservableGauge('gridbourse_chain_halted', {
        description: '1 while the chain cannot be followed',
      })
      .addCallback((result) => result.observe(this.status().halted ? 1 : 0));
  }

  onApplicationBootstrap(): void {
    this.tasks.every({ name: 'follow-chain', everyMs: this.config.pollMs }, (signal) => this.turn(signal));
  }

  status(): FollowerStatus {
    return this.follower.status();
  }

  private async turn(signal: AbortSignal): Promise<void> {
    try {
      for (let step = 0; step < STEPS_PER_TURN && !signal.aborted; step += 1) {
        if (!(await this.follower.step())) break;
      }
      if (this.failing) this.logger.info({}, 'the node answers again');
      this.failing = false;
    } catch (error) {
      const cause = causeOf(error);
      if (cause === null) throw error;
      this.failures.add(1, { cause });
      // Once: a node that is away for an hour is no news every fraction of a second.
      if (!this.failing) this.logger.warn({ err: error, cause }, 'the chain cannot be followed now');
      this.failing = true;
    }
  }

  /** @throws Error that says why the service cannot vouch for the chain now */
  private check(): void {
    const { halted, inStepAtMs } = this.status();
    if (halted) throw new Error(`halted: ${halted.reason}`);
    if (inStepAtMs === null) throw new Error('the chain has not been seen yet');
    if (this.clock.now() - inStepAtMs > STALE_AFTER_MS)
      throw new Error('no fitting answer of the node for too long');
  }
}

const causeOf = (error: unknown): string | null => {
  if (isRpcUnavailable(error)) return 'unavailable';
  if (error instanceof RpcError) return 'refused';
  return isUntrustworthy(error) ? 'untrustworthy' : null;
};
