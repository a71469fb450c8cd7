import { earningsToChange } from './balances.ts';
import { earnedBy, isOpen, settleTo } from './leases.ts';
import { refuse } from './refusal.ts';
import { type Address, type Batch, type Effect } from './values.ts';
import { requireNotPaused, requireRole, type World } from './world.ts';

/** A result of a row with this bit says that nothing was paid, and below it why. */
const SKIPPED = 2n ** 63n;
const UNKNOWN_LEASE = SKIPPED + 1n;
const CLOSED_LEASE = SKIPPED + 2n;
const ALREADY_SETTLED = SKIPPED + 3n;
const MORE_THAN_LOCK = SKIPPED + 4n;
const MORE_THAN_EARNED = SKIPPED + 5n;

const SERIAL_BITS = 64n;
const hex = (value: bigint, bytes: number): string => value.toString(16).padStart(bytes * 2, '0');

/** Pays one lease up to a cumulative amount: what was paid, or why nothing was. */
const settleRow = (world: World, leaseKey: bigint, cumulative: bigint): bigint => {
  const lease = world.market.leases.get(leaseKey);
  if (!lease) return UNKNOWN_LEASE;
  if (!isOpen(lease)) return CLOSED_LEASE;
  if (cumulative <= lease.settled) return ALREADY_SETTLED;
  if (cumulative > lease.lock) return MORE_THAN_LOCK;
  if (cumulative > earnedBy(lease, world.nowSeconds)) return MORE_THAN_EARNED;
  const paid = cumulative - lease.settled;
  settleTo(world, lease, cumulative);
  earningsToChange(world, lease.providerId).earned += paid;
  return paid;
};

export const settlementRules = {
  /** A row that cannot be honoured is reported with the reason and holds back no other. */
  settleBatch: (world: World, sender: Address, batch: Batch): Effect => {
    requireRole(world, sender, 'OPERATOR_ROLE');
    requireNotPaused(world.market);
    if ('malformed' in batch) return refuse('MalformedBatch');
    let results = '0x';
    for (const { providerId, rows } of batch.groups) {
      results += hex(providerId, 4) + hex(BigInt(rows.length), 2);
      for (const { serial, cumulative } of rows) {
        const result = settleRow(world, (providerId << SERIAL_BITS) + serial, cumulative);
        results += hex(serial, 8) + hex(cumulative, 8) + hex(result, 8);
      }
    }
    return { logs: [{ contract: 'market', name: 'BatchSettled', args: [results] }], returned: [] };
  },
};
