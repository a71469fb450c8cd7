import type { ChainLog } from '@gridbourse/events';
import { DomainError } from '@gridbourse/kernel';
import { interfaces } from './contracts.ts';
import type { Deployment } from './deployment.ts';
import type { ComputeMarketEvents } from './generated/ComputeMarket.ts';
import type { ProviderRegistryEvents } from './generated/ProviderRegistry.ts';
import { splitLeaseKey } from './lease-key.ts';
import { unpackResults } from './settlement-batch.ts';

/** A log as `eth_getLogs` gives it, as far as its meaning goes. */
export type RawLog = { readonly address: string; readonly topics: readonly string[]; readonly data: string };
export type IndexedContract = 'ComputeMarket' | 'ProviderRegistry';
export type DecodedLog = { readonly contract: IndexedContract; readonly log: ChainLog };

/** How the events that somebody follows are read. */
type Readers<Events> = { readonly [Name in keyof Events]?: (args: Events[Name]) => ChainLog };

const addressOf = (value: string): string => value.toLowerCase();
const leaseKeyOf = (value: bigint): string => `0x${value.toString(16).padStart(24, '0')}`;

const partiesOf = (args: ComputeMarketEvents['LeaseExtended' | 'LeaseStopped']) => {
  const leaseKey = leaseKeyOf(args.leaseKey);
  return {
    leaseKey,
    tenant: addressOf(args.tenant),
    chainProviderId: splitLeaseKey(leaseKey).chainProviderId,
    by: addressOf(args.by),
  };
};

const marketLogs: Readers<ComputeMarketEvents> = {
  Deposited: (args) => ({
    name: 'Deposited',
    tenant: addressOf(args.tenant),
    amountMicros: args.amount,
  }),
  Withdrawn: (args) => ({
    name: 'Withdrawn',
    tenant: addressOf(args.tenant),
    amountMicros: args.amount,
  }),
  SpendingLimitSet: (args) => ({
    name: 'SpendingLimitSet',
    tenant: addressOf(args.tenant),
    maxRateMicrosPerHour: args.maxRatePerHour,
    maxLockedMicros: args.maxLocked,
    validUntilSeconds: Number(args.validUntil),
  }),
  LeaseOpened: (args) => {
    const leaseKey = leaseKeyOf(args.leaseKey);
    return {
      name: 'LeaseOpened',
      leaseKey,
      leaseRef: args.leaseRef,
      tenant: addressOf(args.tenant),
      chainProviderId: splitLeaseKey(leaseKey).chainProviderId,
      rateMicrosPerHour: args.ratePerHour,
      lockMicros: args.lock,
      openedAtSeconds: Number(args.openedAt),
    };
  },
  BatchSettled: (args) => ({ name: 'LeasesSettled', ...unpackResults(args.rows) }),
  LeaseClosed: (args) => {
    const leaseKey = leaseKeyOf(args.leaseKey);
    return {
      name: 'LeaseClosed',
      leaseKey,
      tenant: addressOf(args.tenant),
      chainProviderId: splitLeaseKey(leaseKey).chainProviderId,
      paidMicros: args.paid,
      settledMicros: args.settled,
      refundedMicros: args.refunded,
    };
  },
  LeaseExtended: (args) => ({
    name: 'LeaseExtended',
    ...partiesOf(args),
    addedMicros: args.added,
    lockMicros: args.lock,
  }),
  LeaseStopped: (args) => ({
    name: 'LeaseStopped',
    ...partiesOf(args),
    endsAtSeconds: Number(args.endsAt),
    lockMicros: args.lock,
    refundedMicros: args.refunded,
  }),
  EarningsClaimed: (args) => ({
    name: 'EarningsClaimed',
    chainProviderId: Number(args.providerId),
    to: addressOf(args.to),
    amountMicros: args.amount,
  }),
};

const registryLogs: Readers<ProviderRegistryEvents> = {
  ProviderRegistered: (args) => ({
    name: 'ProviderRegistered',
    chainProviderId: Number(args.providerId),
    owner: addressOf(args.owner),
    payout: addressOf(args.payout),
  }),
  StakeChanged: (args) => ({
    name: 'StakeChanged',
    chainProviderId: Number(args.providerId),
    owner: addressOf(args.owner),
    stakeMicros: args.stake,
  }),
};

/** ethers decodes by the ABI that the types were generated from: a reader gets what its event holds. */
type Read = (args: unknown) => ChainLog;
const readers = { ComputeMarket: marketLogs, ProviderRegistry: registryLogs } as Readonly<
  Record<IndexedContract, Readonly<Record<string, Read>>>
>;

export const indexedContracts = ['ComputeMarket', 'ProviderRegistry'] as const;

/**
 * What a log of our contracts says; null for one of another contract and for events that nobody follows (roles,
 * pauses, thaws, payout changes).
 * @throws DomainError `undecodable_log` for a log of ours that does not fit its own event
 */
export const decodeContractLog = (deployment: Deployment, raw: RawLog): DecodedLog | null => {
  const contract = indexedContracts.find((name) => deployment.contracts[name] === raw.address.toLowerCase());
  if (!contract) return null;
  const event = raw.topics[0] === undefined ? null : interfaces[contract].getEvent(raw.topics[0]);
  if (!event) throw undecodable(contract, raw);
  const read = readers[contract][event.name];
  if (!read) return null;
  try {
    return { contract, log: read(interfaces[contract].decodeEventLog(event, raw.data, raw.topics)) };
  } catch (error) {
    throw undecodable(contract, raw, error);
  }
};

const undecodable = (contract: string, raw: RawLog, cause?: unknown): DomainError =>
  new DomainError(
    'internal',
    'undecodable_log',
    `a log of ${contract} (topic ${raw.topics[0] ?? 'none'}) cannot be read`,
    {
      cause,
    },
  );
