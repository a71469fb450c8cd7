import type { ChainEventObserved, ChainLog } from '@gridbourse/events';
import type { Micros } from '@gridbourse/kernel';
import {
  earnedAccount,
  ESCROW,
  freeAccount,
  lockedAccount,
  providerOfLeaseKey,
} from './chart-of-accounts.ts';
import type { Transfer, TransferKind } from './ledger.ts';

/** A log of the chain with its place, as the indexer tells it. */
export type ChainEvent = Omit<ChainEventObserved, 'type'>;

type Movement = {
  part: string;
  kind: TransferKind;
  debit: string;
  credit: string;
  amountMicros: Micros;
  tenant: string | null;
  leaseKey: string | null;
};

const payment = (leaseKey: string, amountMicros: Micros, tenant: string | null): Movement => ({
  part: `payment/${leaseKey}`,
  kind: 'payment',
  debit: lockedAccount(leaseKey),
  credit: earnedAccount(providerOfLeaseKey(leaseKey)),
  amountMicros,
  tenant,
  leaseKey,
});

const refund = (log: { tenant: string; leaseKey: string; refundedMicros: Micros }): Movement => ({
  part: 'refund',
  kind: 'refund',
  debit: lockedAccount(log.leaseKey),
  credit: freeAccount(log.tenant),
  amountMicros: log.refundedMicros,
  tenant: log.tenant,
  leaseKey: log.leaseKey,
});

const movementsOf = (log: ChainLog): readonly Movement[] => {
  switch (log.name) {
    case 'Deposited': {
      const { tenant, amountMicros } = log;
      const credit = freeAccount(tenant);
      return [
        { part: 'deposit', kind: 'deposit', debit: ESCROW, credit, amountMicros, tenant, leaseKey: null },
      ];
    }
    case 'Withdrawn': {
      const { tenant, amountMicros } = log;
      const debit = freeAccount(tenant);
      return [
        {
          part: 'withdrawal',
          kind: 'withdrawal',
          debit,
          credit: ESCROW,
          amountMicros,
          tenant,
          leaseKey: null,
        },
      ];
    }
    case 'LeaseOpened': {
      const { tenant, leaseKey, lockMicros: amountMicros } = log;
      const [debit, credit] = [freeAccount(tenant), lockedAccount(leaseKey)];
      return [{ part: 'lock', kind: 'lock', debit, credit, amountMicros, tenant, leaseKey }];
    }
    case 'LeaseExtended': {
      const { tenant, leaseKey, addedMicros: amountMicros } = log;
      const [debit, credit] = [freeAccount(tenant), lockedAccount(leaseKey)];
      return [{ part: 'lock', kind: 'lock', debit, credit, amountMicros, tenant, leaseKey }];
    }
    case 'LeaseStopped':
      return [refund(log)];
    case 'LeasesSettled':
      return log.rows.map((row) => payment(row.leaseKey, row.paidMicros, null));
    case 'LeaseClosed':
      return [payment(log.leaseKey, log.paidMicros, log.tenant), refund(log)];
    case 'EarningsClaimed': {
      const debit = earnedAccount(log.chainProviderId);
      const { amountMicros } = log;
      return [
        { part: 'claim', kind: 'claim', debit, credit: ESCROW, amountMicros, tenant: null, leaseKey: null },
      ];
    }
    case 'SpendingLimitSet':
    case 'ProviderRegistered':
    case 'StakeChanged':
      return [];
  }
};

/**
 * The transfers that a log causes. Ids follow from the log's place in the chain, so they are the same whenever and
 * however often it is heard. `incarnation` tells apart the times that one and the same block came back after a reorg
 * had taken it away (0 the first time).
 */
export const transfersOf = (event: ChainEvent, incarnation: number): readonly Transfer[] =>
  movementsOf(event.log)
    .filter((movement) => movement.amountMicros > 0n)
    .map(({ part, ...movement }) => ({
      ...movement,
      id:
        `${event.chainId}/${event.blockHash}/${event.logIndex}/${part}` +
        (incarnation === 0 ? '' : `~${incarnation}`),
      correctsId: null,
      effectiveAtMs: event.blockTimeMs,
    }));
