import type { ChainEventObserved, ChainIndexerEvent } from '@gridbourse/events';
import type { Instant } from '@gridbourse/kernel';
import { type Contract, CONTRACTS, type IndexedLog } from './block.ts';

type Body = Omit<ChainEventObserved, 'type'>;

const bodyOf = (chainId: number, log: IndexedLog): Body => ({
  contract: log.contract,
  chainId,
  blockNumber: log.blockNumber,
  blockHash: log.blockHash,
  logIndex: log.logIndex,
  txHash: log.txHash,
  blockTimeMs: log.blockTimeMs,
  seenAtMs: log.seenAtMs,
  log: log.log,
});

/** What is told of a log when it is taken in. */
export const observedOf = (chainId: number, log: IndexedLog): ChainEventObserved => ({
  type: 'ChainEventObserved',
  ...bodyOf(chainId, log),
});

export type ChainMovement = {
  /** Logs of blocks that are gone, in the order of the chain. */
  readonly retracted: readonly IndexedLog[];
  /** In the order of the chain. */
  readonly observed: readonly IndexedLog[];
  /** In the order of the chain. */
  readonly finalized: readonly IndexedLog[];
};

/**
 * The events of one movement of the chain, by contract: first what is gone, the last of it first, so that every
 * retraction undoes the newest effect; then what is there instead; then what cannot change any more.
 */
export const eventsOf = (
  chainId: number,
  movement: ChainMovement,
): ReadonlyMap<Contract, ChainIndexerEvent[]> => {
  const events = new Map<Contract, ChainIndexerEvent[]>(CONTRACTS.map((contract) => [contract, []]));
  const add = (type: ChainEventType, logs: readonly IndexedLog[]): void => {
    for (const log of logs) events.get(log.contract)!.push({ type, ...bodyOf(chainId, log) });
  };
  add('ChainEventRetracted', movement.retracted.toReversed());
  add('ChainEventObserved', movement.observed);
  add('ChainEventFinalized', movement.finalized);
  return events;
};

type ChainEventType = 'ChainEventRetracted' | 'ChainEventObserved' | 'ChainEventFinalized';

export const haltedEvents = (reason: string, atMs: Instant): ReadonlyMap<Contract, ChainIndexerEvent[]> =>
  new Map(
    CONTRACTS.map((contract) => [
      contract,
      [{ type: 'ChainHalted', contract, reason: reason.slice(0, 500), atMs }],
    ]),
  );
