import { z } from 'zod';
import { eventFamily, type EventOf, nextVersion } from './define.ts';
import { address, hash, instant, micros, seconds } from './fields.ts';

/**
 * Keyed by contract name, so that consumers see the logs of a contract in the order of the chain, retractions
 * included: a deposit is always heard of before the lease that locks it.
 */
const contract = eventFamily('chain-indexer', 'contract', 'public', 'the name of the contract');

export const chainLeaseKey = z
  .string()
  .regex(/^0x[0-9a-f]{24}$/)
  .describe('`0x` and 24 hexadecimal digits: provider (uint32), then the serial of the lease (uint64).');
const chainProviderId = z
  .int()
  .min(1)
  .max(4_294_967_295)
  .describe("The contract's own number of the provider.");

const firstLogs = [
  z.object({ name: z.literal('Deposited'), tenant: address, amountMicros: micros }),
  z.object({ name: z.literal('Withdrawn'), tenant: address, amountMicros: micros }),
  z.object({
    name: z.literal('SpendingLimitSet'),
    tenant: address,
    maxRateMicrosPerHour: micros.describe('Micro-USDC per hour.'),
    maxLockedMicros: micros,
    validUntilSeconds: seconds.describe('Seconds since 1970-01-01T00:00:00Z.'),
  }),
  z.object({
    name: z.literal('LeaseOpened'),
    leaseKey: chainLeaseKey,
    leaseRef: hash.describe("keccak256 of the lease id's UTF-8 text."),
    tenant: address,
    chainProviderId,
    rateMicrosPerHour: micros.describe('Micro-USDC per hour.'),
    lockMicros: micros,
    openedAtSeconds: seconds.describe('Seconds since 1970-01-01T00:00:00Z.'),
  }),
  z.object({
    name: z.literal('LeasesSettled'),
    rows: z
      .array(z.object({ leaseKey: chainLeaseKey, paidMicros: micros, settledMicros: micros }))
      .describe('Rows that moved money: `paid` is the difference, `settled` the new cumulative amount.'),
    skipped: z
      .array(z.object({ leaseKey: chainLeaseKey, cumulativeMicros: micros, reason: z.string().max(60) }))
      .describe(
        'Rows that the contract skipped (more than earned or than the lock, unknown or closed lease).',
      ),
  }),
  z.object({
    name: z.literal('LeaseClosed'),
    leaseKey: chainLeaseKey,
    tenant: address,
    chainProviderId,
    paidMicros: micros,
    settledMicros: micros,
    refundedMicros: micros,
  }),
  z.object({ name: z.literal('EarningsClaimed'), chainProviderId, to: address, amountMicros: micros }),
  z.object({ name: z.literal('ProviderRegistered'), chainProviderId, owner: address, payout: address }),
  z.object({ name: z.literal('StakeChanged'), chainProviderId, owner: address, stakeMicros: micros }),
] as const;

export const chainLog = z.discriminatedUnion('name', [
  ...firstLogs,
  z.object({
    name: z.literal('LeaseExtended'),
    leaseKey: chainLeaseKey,
    tenant: address,
    chainProviderId,
    by: address.describe('The tenant or the operator.'),
    addedMicros: micros.describe("What went from the tenant's free balance to the lock."),
    lockMicros: micros.describe('The lock now.'),
  }),
  z.object({
    name: z.literal('LeaseStopped'),
    leaseKey: chainLeaseKey,
    tenant: address,
    chainProviderId,
    by: address.describe("The tenant or the provider's owner."),
    endsAtSeconds: seconds.describe('What time earns ends here. Seconds since 1970-01-01T00:00:00Z.'),
    lockMicros: micros.describe('The lock now: never more than what time has earned by then.'),
    refundedMicros: micros.describe("What went back from the lock to the tenant's free balance."),
  }),
]);

const place = {
  contract: z.enum(['ComputeMarket', 'ProviderRegistry']),
  chainId: z.int().min(1),
  blockNumber: z.int().min(0),
  blockHash: hash,
  logIndex: z.int().min(0),
  txHash: hash,
  blockTimeMs: instant.describe("The block's own time."),
  seenAtMs: instant.describe('When the indexer saw it.'),
};
const chainEventV1 = z.object({ ...place, log: z.discriminatedUnion('name', firstLogs) });
const chainEvent = z.object({ ...place, log: chainLog });

/** Version 1 knew no extended and no stopped leases: all that it can say is said the same way now. */
const withMoreLogs = <Type extends string>(type: Type, description: string) =>
  nextVersion(contract(type, description, chainEventV1), { schema: chainEvent, upcast: (fields) => fields });

export const chainEventObserved = withMoreLogs(
  'ChainEventObserved',
  'In a block of the sequencer: soft confirmation. May still be retracted.',
);
export const chainEventFinalized = withMoreLogs('ChainEventFinalized', 'Irreversible.');
export const chainEventRetracted = withMoreLogs(
  'ChainEventRetracted',
  'Its block is no longer part of the chain: undo what it caused.',
);

export const chainHalted = contract(
  'ChainHalted',
  'The indexer cannot vouch for the chain (a reorg below finality, a chain it does not know) and has stopped.',
  z.object({
    contract: z.enum(['ComputeMarket', 'ProviderRegistry']),
    reason: z.string().max(500),
    atMs: instant,
  }),
);

export const chainIndexerEvents = [
  chainEventObserved,
  chainEventFinalized,
  chainEventRetracted,
  chainHalted,
] as const;
export type ChainIndexerEvent = EventOf<(typeof chainIndexerEvents)[number]>;
export type ChainEventObserved = EventOf<typeof chainEventObserved>;
export type ChainEventRetracted = EventOf<typeof chainEventRetracted>;
export type ChainLog = z.output<typeof chainLog>;
