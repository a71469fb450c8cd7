import { type Clock, DomainError } from '@gridbourse/kernel';
import type { Logger } from '@gridbourse/observability';
import { isRpcUnavailable, RpcError } from '@gridbourse/chain';
import type { ChainSource } from '../../adapters/chain-source.ts';
import type { IndexStore, Position, Step } from '../../adapters/index-store.ts';
import type { BlockRef, Header, Heads, IndexedBlock, IndexedLog, Segment } from '../../domain/block.ts';
import { newFinal } from '../../domain/finality.ts';
import { RangeSize } from '../../domain/range-size.ts';
import { isUntrustworthy, untrustworthy } from '../../domain/trust.ts';

export type FollowerOptions = {
  readonly source: ChainSource;
  readonly store: IndexStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly chainId: number;
  readonly deployBlock: number;
  readonly maxRange: number;
  readonly minFinalityAgeMs: number;
  readonly lagGraceMs: number;
  readonly haltGraceMs: number;
  /** After a step was committed. */
  readonly onStep?: (step: { blocks: number; logs: number; retractedBlocks: number }) => void;
};

export type FollowerStatus = {
  readonly heads: Heads | null;
  readonly position: Position | null;
  readonly halted: { reason: string; sinceMs: number } | null;
  /** When the node's answers last fitted, by our clock; null before the first time. */
  readonly inStepAtMs: number | null;
};

/** Most blocks that become final in one step. */
const FINAL_LIMIT = 5_000;
const FORK_SEARCH_BLOCKS = 64;

/** The chain is not the one we follow, or has changed what cannot change. Time and the node may still clear it up. */
class Contradiction extends Error {}

/**
 * Follows one chain: looks at the node, finds where its chain and ours part, and moves the index in one transaction.
 * It never goes on from what does not fit: it asks again, and tells ChainHalted when the contradiction stays.
 */
export class Follower {
  private readonly o: FollowerOptions;
  private readonly range: RangeSize;
  private position: Position | null = null;
  private blocks = new Map<number, IndexedBlock>();
  private heads: Heads | null = null;
  private identityKnown = false;
  /** Position and blocks in memory are those that are stored. */
  private loaded = false;
  private laggingSince: number | null = null;
  private contradiction: { reason: string; sinceMs: number } | null = null;
  private inStepAtMs: number | null = null;

  constructor(options: FollowerOptions) {
    this.o = options;
    this.range = new RangeSize(options.maxRange);
  }

  status(): FollowerStatus {
    const { contradiction } = this;
    const lasts = contradiction !== null && this.o.clock.now() - contradiction.sinceMs >= this.o.haltGraceMs;
    const halted = lasts || this.position?.haltedReason != null ? contradiction : null;
    return { heads: this.heads, position: this.position, halted, inStepAtMs: this.inStepAtMs };
  }

  /** One look and at most one step. @returns whether there is more to take in right away */
  async step(): Promise<boolean> {
    try {
      const more = await this.follow();
      await this.clear();
      return more;
    } catch (error) {
      if (error instanceof Contradiction) {
        await this.contradicted(error.message);
        return false;
      }
      if (isUntrustworthy(error) || isUndecodable(error)) await this.contradicted(error.message);
      // Whoever answers next may be another node, or another chain.
      this.identityKnown = false;
      if (!isRpcUnavailable(error) && !(error instanceof RpcError)) this.loaded = false;
      throw error;
    }
  }

  private async follow(): Promise<boolean> {
    await this.checkIdentity();
    const position = await this.load();
    const heads = await this.o.source.heads();
    this.heads = heads;
    const tip = position.indexed;
    if (heads.latest.number < tip.number) return this.followShorter(position, heads);
    this.laggingSince = null;
    if (heads.latest.number === tip.number && heads.latest.hash !== tip.hash)
      return this.reorganise(position, heads);
    if (this.contradictsFinal(heads)) return this.reorganise(position, heads);
    if (heads.latest.number === tip.number) return this.finalizeOnly(position, heads);
    const segment = await this.segment(tip.number + 1, heads.latest.number);
    if (segment.headers[0]!.parentHash !== tip.hash) return this.reorganise(position, heads);
    return this.move(position, heads, tip, segment);
  }

  /** The chain id and block 0 never change; a node that shows others shows another chain. */
  private async checkIdentity(): Promise<void> {
    if (this.identityKnown) return;
    const { chainId, genesisHash } = await this.o.source.identity();
    const known = this.position ?? (await this.o.store.position());
    if (chainId !== this.o.chainId) {
      throw new Contradiction(`expected chain ${this.o.chainId}, the node is on chain ${chainId}`);
    }
    if (known && (known.genesisHash !== genesisHash || known.chainId !== chainId)) {
      throw new Contradiction(
        `block 0 of the node is ${genesisHash}; the chain we know began with ${known.genesisHash}`,
      );
    }
    if (!known) await this.begin(chainId, genesisHash);
    this.identityKnown = true;
  }

  private async begin(chainId: number, genesisHash: string): Promise<void> {
    const [before] = await this.o.source.headers([this.o.deployBlock - 1]);
    if (!before) throw untrustworthy(`the chain has no block ${this.o.deployBlock - 1} yet`);
    await this.o.store.begin({ chainId, genesisHash, before });
  }

  private async load(): Promise<Position> {
    if (this.loaded && this.position) return this.position;
    const { position, blocks } = await this.o.store.load();
    if (!position) throw new DomainError('internal', 'no_position', 'the index has lost its position');
    this.position = position;
    this.blocks = blocks;
    this.loaded = true;
    return position;
  }

  /** The node has fewer blocks than we took in: it lags, or they are lost. The first passes; the second does not. */
  private async followShorter(position: Position, heads: Heads): Promise<boolean> {
    const ours = this.hashAt(position, heads.latest.number);
    if (ours === undefined || ours === heads.latest.hash) {
      const now = this.o.clock.now();
      this.laggingSince ??= now;
      if (now - this.laggingSince < this.o.lagGraceMs) return false;
    }
    return this.reorganise(position, heads);
  }

  private hashAt(position: Position, number: number): string | undefined {
    return number === position.final.number ? position.final.hash : this.blocks.get(number)?.hash;
  }

  /** The node calls final what we hold otherwise: then our blocks are not of its chain. */
  private contradictsFinal({ finalized }: Heads): boolean {
    const ours = finalized && this.blocks.get(finalized.number);
    return ours !== null && ours !== undefined && ours.hash !== finalized!.hash;
  }

  private async reorganise(position: Position, heads: Heads): Promise<boolean> {
    this.identityKnown = false;
    await this.checkIdentity();
    const keep = await this.forkOf(position, heads.latest.number);
    const { logger } = this.o;
    logger.warn(
      { from: position.indexed.number, keep: keep.number, latest: heads.latest.number },
      'the chain has reorganised',
    );
    const segment =
      heads.latest.number > keep.number
        ? await this.segment(keep.number + 1, heads.latest.number)
        : { headers: [], logs: [] };
    if (segment.headers[0] && segment.headers[0].parentHash !== keep.hash) {
      throw untrustworthy('the chain reorganised again while it was read');
    }
    this.laggingSince = null;
    return this.move(position, heads, keep, segment);
  }

  /** The last of our blocks that the node's chain still has. */
  private async forkOf(position: Position, latest: number): Promise<BlockRef> {
    const { final } = position;
    for (let to = Math.min(position.indexed.number, latest); to >= final.number; to -= FORK_SEARCH_BLOCKS) {
      const from = Math.max(final.number, to - FORK_SEARCH_BLOCKS + 1);
      const numbers = Array.from({ length: to - from + 1 }, (_, index) => to - index);
      const theirs = await this.o.source.headers(numbers);
      const index = theirs.findIndex(
        (header) => header !== null && header.hash === this.hashAt(position, header.number),
      );
      if (index >= 0) return { number: theirs[index]!.number, hash: theirs[index]!.hash };
    }
    throw new Contradiction(
      `block ${final.number}, which was final, is no longer ${final.hash}: the chain has changed below finality`,
    );
  }

  private async segment(from: number, latest: number): Promise<Segment> {
    const to = Math.min(latest, from + this.range.blocks - 1);
    try {
      const segment = await this.o.source.segment(from, to);
      this.range.succeeded();
      return segment;
    } catch (error) {
      if (error instanceof RpcError || isRpcUnavailable(error)) this.range.failed();
      throw error;
    }
  }

  private async finalizeOnly(position: Position, heads: Heads): Promise<boolean> {
    const final = this.finalIn(position.final, heads, this.blocks);
    if (final.number === position.final.number) return false;
    return this.apply(position, { keep: position.indexed, blocks: [], logs: [], final });
  }

  private finalIn(final: BlockRef, heads: Heads, blocks: ReadonlyMap<number, IndexedBlock>): BlockRef {
    const options = { now: this.o.clock.now(), minAgeMs: this.o.minFinalityAgeMs, limit: FINAL_LIMIT };
    return newFinal(final, heads.finalized, blocks, options);
  }

  private async move(position: Position, heads: Heads, keep: BlockRef, segment: Segment): Promise<boolean> {
    const seenAtMs = this.o.clock.now();
    const blocks = segment.headers.map((header) => indexedBlock(header, seenAtMs));
    const after = new Map([...this.blocks].filter(([number]) => number <= keep.number));
    for (const block of blocks) after.set(block.number, block);
    const final = this.finalIn(position.final, heads, after);
    await this.apply(position, { keep, blocks, logs: indexedLogs(segment, seenAtMs), final });
    return this.position!.indexed.number < heads.latest.number;
  }

  private async apply(position: Position, step: Step): Promise<boolean> {
    this.position = await this.o.store.move(position, step);
    for (let number = step.keep.number + 1; number <= position.indexed.number; number += 1)
      this.blocks.delete(number);
    for (const block of step.blocks) this.blocks.set(block.number, block);
    for (let number = position.final.number + 1; number <= step.final.number; number += 1)
      this.blocks.delete(number);
    this.o.onStep?.({
      blocks: step.blocks.length,
      logs: step.logs.length,
      retractedBlocks: position.indexed.number - step.keep.number,
    });
    return false;
  }

  private async clear(): Promise<void> {
    this.inStepAtMs = this.o.clock.now();
    if (this.contradiction) this.o.logger.info({ reason: this.contradiction.reason }, 'the chain fits again');
    this.contradiction = null;
    if (this.position?.haltedReason != null) this.position = await this.o.store.resume(this.position);
  }

  private async contradicted(reason: string): Promise<void> {
    const now = this.o.clock.now();
    this.identityKnown = false;
    if (this.contradiction?.reason !== reason) {
      this.contradiction = { reason, sinceMs: this.contradiction?.sinceMs ?? now };
      this.o.logger.error({ reason }, 'the chain does not fit');
    }
    if (now - this.contradiction.sinceMs < this.o.haltGraceMs) return;
    const position = await this.o.store.position();
    if (!position || position.haltedReason !== null) return;
    this.position = await this.o.store.halt(position, reason, now);
    this.loaded = false;
    this.o.logger.error({ reason }, 'the indexer has halted');
    this.o.onStep?.({ blocks: 0, logs: 0, retractedBlocks: 0 });
  }
}

const isUndecodable = (error: unknown): error is DomainError =>
  error instanceof DomainError && error.code === 'undecodable_log';

const indexedBlock = (header: Header, seenAtMs: number): IndexedBlock => ({
  number: header.number,
  hash: header.hash,
  parentHash: header.parentHash,
  timeMs: header.timeMs,
  seenAtMs,
});

/** Logs of events that somebody follows, with the time of their block. */
const indexedLogs = ({ headers, logs }: Segment, seenAtMs: number): IndexedLog[] => {
  const timeOf = new Map(headers.map((header) => [header.number, header.timeMs]));
  return logs.flatMap(({ meaning, ...log }) =>
    meaning ? [{ ...log, ...meaning, blockTimeMs: timeOf.get(log.blockNumber)!, seenAtMs }] : [],
  );
};
