import { chainEventObserved, type ChainEventObserved, publishedLanguage } from '@gridbourse/events';
import type { EntityManager } from 'typeorm';
import type { Contract, IndexedLog } from '../domain/block.ts';
import { observedOf } from '../domain/events.ts';

/** A row of `chain_logs` as the driver gives it. */
export type LogRow = {
  chain_id: string;
  block_hash: string;
  log_index: number;
  block_number: string;
  contract: Contract;
  tx_hash: string;
  block_time_ms: string;
  seen_at_ms: string;
  schema_version: number;
  log: unknown;
};

/** The log in the shape of today, whatever version of the published language it was kept in. */
export const logOf = (row: LogRow): IndexedLog => {
  const place = {
    contract: row.contract,
    blockNumber: Number(row.block_number),
    blockHash: row.block_hash,
    logIndex: row.log_index,
    txHash: row.tx_hash,
    blockTimeMs: Number(row.block_time_ms),
    seenAtMs: Number(row.seen_at_ms),
  };
  const event = publishedLanguage.decode({
    type: chainEventObserved.type,
    schemaVersion: row.schema_version,
    data: { ...place, chainId: Number(row.chain_id), log: row.log },
  }) as ChainEventObserved;
  return { ...place, log: event.log };
};

const INSERT = `
  INSERT INTO chain_logs
    (chain_id, block_hash, log_index, block_number, contract, tx_hash, block_time_ms, seen_at_ms, schema_version, log)
  SELECT $1, * FROM unnest($2::text[], $3::int[], $4::bigint[], $5::text[], $6::text[], $7::bigint[], $8::bigint[],
                           $9::int[], $10::jsonb[])`;

export const insertLogs = async (
  manager: EntityManager,
  chainId: number,
  logs: readonly IndexedLog[],
): Promise<void> => {
  if (logs.length === 0) return;
  const encoded = logs.map((log) => {
    const { schemaVersion, data } = publishedLanguage.encode(observedOf(chainId, log));
    return { schemaVersion, text: JSON.stringify((data as { log: unknown }).log) };
  });
  await manager.query(INSERT, [
    chainId,
    logs.map((log) => log.blockHash),
    logs.map((log) => log.logIndex),
    logs.map((log) => log.blockNumber),
    logs.map((log) => log.contract),
    logs.map((log) => log.txHash),
    logs.map((log) => log.blockTimeMs),
    logs.map((log) => log.seenAtMs),
    encoded.map(({ schemaVersion }) => schemaVersion),
    encoded.map(({ text }) => text),
  ]);
};

const DELETE = `DELETE FROM chain_logs WHERE chain_id = $1 AND block_hash = $2 AND log_index = $3`;

/** Takes out a log whose block is no longer part of the chain. */
export const deleteLog = async (
  manager: EntityManager,
  { chainId, blockHash, logIndex }: Pick<ChainEventObserved, 'chainId' | 'blockHash' | 'logIndex'>,
): Promise<void> => {
  await manager.query(DELETE, [chainId, blockHash, logIndex]);
};
