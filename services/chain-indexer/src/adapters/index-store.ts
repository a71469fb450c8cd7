import { EventStore } from '@gridbourse/event-store';
import type { ChainIndexerEvent } from '@gridbourse/events';
import { DomainError } from '@gridbourse/kernel';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import {
  type BlockRef,
  type Contract,
  CONTRACTS,
  type IndexedBlock,
  type IndexedLog,
} from '../domain/block.ts';
import { eventsOf, haltedEvents } from '../domain/events.ts';
import { insertLogs, logOf, type LogRow } from './log-rows.ts';

type StreamVersions = Readonly<Record<Contract, number>>;

/** How far the chain has been followed. */
export type Position = {
  readonly chainId: number;
  readonly genesisHash: string;
  readonly indexed: BlockRef;
  readonly final: BlockRef;
  readonly streamVersions: StreamVersions;
  readonly haltedReason: string | null;
};

/** One step, all of it or none. */
export type Step = {
  /** The last block that stays: those above it are gone. The indexed block itself where none is gone. */
  readonly keep: BlockRef;
  readonly blocks: readonly IndexedBlock[];
  readonly logs: readonly IndexedLog[];
  readonly final: BlockRef;
};

type CursorRow = {
  chain_id: string;
  genesis_hash: string;
  indexed_number: string;
  indexed_hash: string;
  final_number: string;
  final_hash: string;
  stream_versions: StreamVersions;
  halted_reason: string | null;
};
type BlockRow = { number: string; hash: string; parent_hash: string; time_ms: string; seen_at_ms: string };
const positionOf = (row: CursorRow): Position => ({
  chainId: Number(row.chain_id),
  genesisHash: row.genesis_hash,
  indexed: { number: Number(row.indexed_number), hash: row.indexed_hash },
  final: { number: Number(row.final_number), hash: row.final_hash },
  streamVersions: row.stream_versions,
  haltedReason: row.halted_reason,
});

const blockOf = (row: BlockRow): IndexedBlock => ({
  number: Number(row.number),
  hash: row.hash,
  parentHash: row.parent_hash,
  timeMs: Number(row.time_ms),
  seenAtMs: Number(row.seen_at_ms),
});

/** Rows, events and position of the indexer, moved in one transaction each. */
@Injectable()
export class IndexStore {
  constructor(
    private readonly dataSource: DataSource,
    private readonly events: EventStore<ChainIndexerEvent>,
  ) {}

  async position(): Promise<Position | null> {
    const [row] = await this.dataSource.query<CursorRow[]>('SELECT * FROM chain_cursor');
    return row ? positionOf(row) : null;
  }

  /** The position with the blocks above its last final one, by number, both of one moment. */
  async load(): Promise<{ position: Position | null; blocks: Map<number, IndexedBlock> }> {
    return this.dataSource.transaction('REPEATABLE READ', async (manager) => {
      const [row] = await manager.query<CursorRow[]>('SELECT * FROM chain_cursor');
      const rows = await manager.query<BlockRow[]>('SELECT * FROM chain_blocks ORDER BY number');
      const blocks = new Map(rows.map(blockOf).map((block) => [block.number, block]));
      return { position: row ? positionOf(row) : null, blocks };
    });
  }

  /** Takes this chain for the one to follow, from the block before the contracts on. Two at once: the first counts. */
  async begin(chain: { chainId: number; genesisHash: string; before: BlockRef }): Promise<Position> {
    const none = Object.fromEntries(CONTRACTS.map((contract) => [contract, 0]));
    await this.dataSource.query(
      `INSERT INTO chain_cursor (chain_id, genesis_hash, indexed_number, indexed_hash, final_number, final_hash, stream_versions)
       VALUES ($1, $2, $3, $4, $3, $4, $5) ON CONFLICT DO NOTHING`,
      [chain.chainId, chain.genesisHash, chain.before.number, chain.before.hash, JSON.stringify(none)],
    );
    return (await this.position())!;
  }

  /**
   * Retracts, takes in and makes final, in this order.
   * @returns the new position
   * @throws DomainError `position_moved` when another process has moved it meanwhile
   */
  async move(from: Position, step: Step): Promise<Position> {
    return this.dataSource.transaction(async (manager) => {
      await this.lock(manager, from);
      const retracted =
        step.keep.number < from.indexed.number ? await this.retract(manager, step.keep.number) : [];
      await this.insertBlocks(manager, step.blocks);
      await insertLogs(manager, from.chainId, step.logs);
      const finalized =
        step.final.number > from.final.number
          ? await this.finalize(manager, from.final.number, step.final.number)
          : [];
      const events = eventsOf(from.chainId, { retracted, observed: step.logs, finalized });
      const last = step.blocks.at(-1) ?? step.keep;
      const to: Position = {
        ...from,
        indexed: { number: last.number, hash: last.hash },
        final: step.final,
        streamVersions: await this.append(manager, from.streamVersions, events),
        haltedReason: null,
      };
      await this.save(manager, to);
      return to;
    });
  }

  /** Tells once that the chain cannot be followed. */
  async halt(from: Position, reason: string, atMs: number): Promise<Position> {
    return this.dataSource.transaction(async (manager) => {
      await this.lock(manager, from);
      const streamVersions = await this.append(manager, from.streamVersions, haltedEvents(reason, atMs));
      const to = { ...from, streamVersions, haltedReason: reason };
      await this.save(manager, to);
      return to;
    });
  }

  /** The chain can be followed again. */
  async resume(from: Position): Promise<Position> {
    return this.dataSource.transaction(async (manager) => {
      await this.lock(manager, from);
      const to = { ...from, haltedReason: null };
      await this.save(manager, to);
      return to;
    });
  }

  private async lock(manager: EntityManager, expected: Position): Promise<void> {
    const [row] = await manager.query<CursorRow[]>('SELECT * FROM chain_cursor FOR UPDATE');
    const found = row && positionOf(row);
    const same =
      found?.indexed.hash === expected.indexed.hash &&
      found.final.number === expected.final.number &&
      CONTRACTS.every((contract) => found.streamVersions[contract] === expected.streamVersions[contract]);
    if (!same) throw new DomainError('conflict', 'position_moved', 'another process has moved the index');
  }

  /** @returns the logs that are gone, in the order of the chain */
  private async retract(manager: EntityManager, keep: number): Promise<IndexedLog[]> {
    const rows = await manager.query<LogRow[]>(
      'SELECT * FROM chain_logs WHERE block_number > $1 ORDER BY block_number, log_index',
      [keep],
    );
    await manager.query('DELETE FROM chain_logs WHERE block_number > $1', [keep]);
    await manager.query('DELETE FROM chain_blocks WHERE number > $1', [keep]);
    return rows.map(logOf);
  }

  /** @returns the logs that are final now, in the order of the chain */
  private async finalize(manager: EntityManager, from: number, to: number): Promise<IndexedLog[]> {
    const rows = await manager.query<LogRow[]>(
      'SELECT * FROM chain_logs WHERE block_number > $1 AND block_number <= $2 ORDER BY block_number, log_index',
      [from, to],
    );
    await manager.query('DELETE FROM chain_blocks WHERE number <= $1', [to]);
    return rows.map(logOf);
  }

  private async insertBlocks(manager: EntityManager, blocks: readonly IndexedBlock[]): Promise<void> {
    if (blocks.length === 0) return;
    await manager.query(
      `INSERT INTO chain_blocks (number, hash, parent_hash, time_ms, seen_at_ms)
       SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[])`,
      [
        blocks.map((block) => block.number),
        blocks.map((block) => block.hash),
        blocks.map((block) => block.parentHash),
        blocks.map((block) => block.timeMs),
        blocks.map((block) => block.seenAtMs),
      ],
    );
  }

  private async append(
    manager: EntityManager,
    versions: StreamVersions,
    events: ReadonlyMap<Contract, ChainIndexerEvent[]>,
  ): Promise<StreamVersions> {
    const appends = [...events].map(([contract, of]) => ({
      streamId: contract,
      expectedVersion: versions[contract],
      events: of,
    }));
    await this.events.append(manager, appends);
    const moved = CONTRACTS.map((contract) => [
      contract,
      versions[contract] + (events.get(contract)?.length ?? 0),
    ]);
    return Object.fromEntries(moved) as StreamVersions;
  }

  private async save(manager: EntityManager, to: Position): Promise<void> {
    await manager.query(
      `UPDATE chain_cursor SET indexed_number = $1, indexed_hash = $2, final_number = $3, final_hash = $4,
         stream_versions = $5, halted_reason = $6`,
      [
        to.indexed.number,
        to.indexed.hash,
        to.final.number,
        to.final.hash,
        JSON.stringify(to.streamVersions),
        to.haltedReason,
      ],
    );
  }
}
