import type {
  chainEventFinalized,
  chainEventObserved,
  ChainEventObserved,
  chainEventRetracted,
  ChainLog,
  EventOf,
} from '@gridbourse/events';
import type { EntityManager } from 'typeorm';

/** The logs that say what a provider has at stake. */
export type StakeLog = Extract<ChainLog, { name: 'StakeChanged' | 'ProviderRegistered' }>;
type Place = Pick<ChainEventObserved, 'blockHash' | 'blockNumber' | 'logIndex'>;

export type ChainStake = { readonly chainProviderId: number; readonly stakeMicros: bigint };

export const isStakeLog = (log: ChainLog): log is StakeLog =>
  log.name === 'StakeChanged' || log.name === 'ProviderRegistered';

/**
 * Stake arrives from the chain and registration from the API, each in a transaction of its own. Both take this lock
 * first, so that the later one sees what the earlier one wrote.
 */
export const lockStakeOf = async (manager: EntityManager, owner: string): Promise<void> => {
  await manager.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`stake:${owner}`]);
};

const addStakeLog = async (manager: EntityManager, place: Place, log: StakeLog): Promise<void> => {
  const { blockHash, logIndex, blockNumber } = place;
  const stakeMicros = log.name === 'StakeChanged' ? log.stakeMicros.toString() : null;
  await manager.query(
    `INSERT INTO chain_stakes (block_hash, log_index, block_number, owner, chain_provider_id, stake_micros)
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
    [blockHash, logIndex, blockNumber, log.owner, log.chainProviderId, stakeMicros],
  );
};

const removeStakeLog = async (manager: EntityManager, place: Place): Promise<void> => {
  await manager.query('DELETE FROM chain_stakes WHERE block_hash = $1 AND log_index = $2', [
    place.blockHash,
    place.logIndex,
  ]);
};

/** Once a stake is final, the ones before it can never be needed again. */
const forgetOlderStakes = async (manager: EntityManager, place: Place, owner: string): Promise<void> => {
  await manager.query('DELETE FROM chain_stakes WHERE owner = $1 AND (block_number, log_index) < ($2, $3)', [
    owner,
    place.blockNumber,
    place.logIndex,
  ]);
};

export type ChainEvent = EventOf<
  typeof chainEventObserved | typeof chainEventRetracted | typeof chainEventFinalized
>;

/** What the indexer's word makes of the table; repeatable. Logs about anything else than stake change nothing. */
export const applyStakeEvent = async (manager: EntityManager, event: ChainEvent): Promise<void> => {
  const { type, log } = event;
  if (!isStakeLog(log)) return;
  if (type === 'ChainEventObserved') await addStakeLog(manager, event, log);
  else if (type === 'ChainEventRetracted') await removeStakeLog(manager, event);
  else if (log.name === 'StakeChanged') await forgetOlderStakes(manager, event, log.owner);
};

/** What the owner has at stake as far as the chain is known; null when the chain does not know the owner. */
export const stakeOf = async (manager: EntityManager, owner: string): Promise<ChainStake | null> => {
  const rows = await manager.query<{ chain_provider_id: string; stake_micros: string | null }[]>(
    `SELECT chain_provider_id, stake_micros FROM chain_stakes WHERE owner = $1
     ORDER BY block_number DESC, log_index DESC`,
    [owner],
  );
  const [newest] = rows;
  if (!newest) return null;
  const staked = rows.find((row) => row.stake_micros !== null);
  return {
    chainProviderId: Number(newest.chain_provider_id),
    stakeMicros: BigInt(staked?.stake_micros ?? '0'),
  };
};
