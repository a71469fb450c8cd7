import type { ChainLog } from '@gridbourse/events';
import { earnedMicros, lockMicros } from '@gridbourse/kernel';
import type { ChainEvent } from '../src/domain/chain-postings.ts';
import type { Tidings } from '../src/domain/chain-log-state.ts';

/** What the contract would do, small: makes only logs that it could have emitted. */
export type Step =
  | { type: 'deposit'; tenant: number; micros: bigint }
  | { type: 'withdraw'; tenant: number; share: number }
  | { type: 'open'; tenant: number; provider: number; rate: bigint; seconds: number }
  | { type: 'settle'; seconds: number }
  | { type: 'extend'; lease: number; seconds: number }
  | { type: 'stop'; lease: number; seconds: number }
  | { type: 'close'; lease: number; seconds: number }
  | { type: 'claim'; provider: number }
  | { type: 'reorg'; blocks: number; newestFirst: boolean }
  | { type: 'repeat' };

export const walletOf = (tenant: number): string => `0x${(tenant + 1).toString(16).padStart(40, '0')}`;
export const leaseKeyOf = (provider: number, serial: number): string =>
  `0x${provider.toString(16).padStart(8, '0')}${serial.toString(16).padStart(16, '0')}`;

type Lease = {
  key: string;
  tenant: number;
  provider: number;
  rate: bigint;
  lock: bigint;
  settled: bigint;
  stopped: boolean;
  closed: boolean;
};
type State = { free: Map<number, bigint>; earned: Map<number, bigint>; leases: Lease[] };

const copy = (state: State): State => ({
  free: new Map(state.free),
  earned: new Map(state.earned),
  leases: state.leases.map((lease) => ({ ...lease })),
});
const add = (map: Map<number, bigint>, key: number, micros: bigint): void =>
  void map.set(key, (map.get(key) ?? 0n) + micros);

const openOne = (state: State, number: number): Lease | undefined => {
  const open = state.leases.filter((lease) => !lease.closed);
  return open[number % Math.max(1, open.length)];
};
const partiesOf = (lease: Lease) => ({
  leaseKey: lease.key,
  tenant: walletOf(lease.tenant),
  chainProviderId: lease.provider,
  by: walletOf(lease.tenant),
});

const execute = (state: State, step: Step, serial: number): ChainLog | null => {
  switch (step.type) {
    case 'deposit':
      add(state.free, step.tenant, step.micros);
      return { name: 'Deposited', tenant: walletOf(step.tenant), amountMicros: step.micros };
    case 'withdraw': {
      const amountMicros = ((state.free.get(step.tenant) ?? 0n) * BigInt(step.share)) / 100n;
      if (amountMicros === 0n) return null;
      add(state.free, step.tenant, -amountMicros);
      return { name: 'Withdrawn', tenant: walletOf(step.tenant), amountMicros };
    }
    case 'open': {
      const lock = lockMicros(step.rate, BigInt(step.seconds));
      if (lock === 0n || lock > (state.free.get(step.tenant) ?? 0n)) return null;
      add(state.free, step.tenant, -lock);
      const key = leaseKeyOf(step.provider, serial);
      state.leases.push({
        key,
        tenant: step.tenant,
        provider: step.provider,
        rate: step.rate,
        lock,
        settled: 0n,
        stopped: false,
        closed: false,
      });
      return {
        name: 'LeaseOpened',
        leaseKey: key,
        leaseRef: `0x${serial.toString(16).padStart(64, '0')}`,
        tenant: walletOf(step.tenant),
        chainProviderId: step.provider,
        rateMicrosPerHour: step.rate,
        lockMicros: lock,
        openedAtSeconds: 1,
      };
    }
    case 'settle': {
      const rows = state.leases.flatMap((lease) => {
        const earned = earnedMicros(lease.rate, BigInt(step.seconds));
        const target = earned < lease.lock ? earned : lease.lock;
        if (lease.closed || target <= lease.settled) return [];
        const paidMicros = target - lease.settled;
        lease.settled = target;
        add(state.earned, lease.provider, paidMicros);
        return [{ leaseKey: lease.key, paidMicros, settledMicros: target }];
      });
      return rows.length === 0 ? null : { name: 'LeasesSettled', rows, skipped: [] };
    }
    case 'extend': {
      const lease = openOne(state, step.lease);
      if (!lease || lease.stopped) return null;
      const addedMicros = lockMicros(lease.rate, BigInt(step.seconds));
      if (addedMicros === 0n || addedMicros > (state.free.get(lease.tenant) ?? 0n)) return null;
      add(state.free, lease.tenant, -addedMicros);
      lease.lock += addedMicros;
      return { name: 'LeaseExtended', ...partiesOf(lease), addedMicros, lockMicros: lease.lock };
    }
    case 'stop': {
      const lease = openOne(state, step.lease);
      if (!lease || lease.stopped) return null;
      const earned = earnedMicros(lease.rate, BigInt(step.seconds));
      const least = earned < lease.settled ? lease.settled : earned;
      const kept = least < lease.lock ? least : lease.lock;
      const refundedMicros = lease.lock - kept;
      lease.lock = kept;
      lease.stopped = true;
      add(state.free, lease.tenant, refundedMicros);
      return {
        name: 'LeaseStopped',
        ...partiesOf(lease),
        endsAtSeconds: step.seconds,
        lockMicros: kept,
        refundedMicros,
      };
    }
    case 'close': {
      const lease = openOne(state, step.lease);
      if (!lease) return null;
      const earned = earnedMicros(lease.rate, BigInt(step.seconds));
      const target = earned < lease.settled ? lease.settled : earned < lease.lock ? earned : lease.lock;
      const paidMicros = target - lease.settled;
      lease.settled = target;
      lease.closed = true;
      add(state.earned, lease.provider, paidMicros);
      add(state.free, lease.tenant, lease.lock - target);
      return {
        name: 'LeaseClosed',
        leaseKey: lease.key,
        tenant: walletOf(lease.tenant),
        chainProviderId: lease.provider,
        paidMicros,
        settledMicros: target,
        refundedMicros: lease.lock - target,
      };
    }
    case 'claim': {
      const amountMicros = state.earned.get(step.provider) ?? 0n;
      if (amountMicros === 0n) return null;
      state.earned.set(step.provider, 0n);
      return { name: 'EarningsClaimed', chainProviderId: step.provider, to: walletOf(99), amountMicros };
    }
    default:
      return null;
  }
};

export type Told = { tidings: Tidings; event: ChainEvent };

/** A history as an indexer would tell it, reorgs and repetitions included, and the logs that remain in the end. */
export const tellHistory = (steps: readonly Step[]): { told: Told[]; surviving: ChainEvent[] } => {
  const told: Told[] = [];
  const chain: { before: State; event: ChainEvent }[] = [];
  let state: State = { free: new Map(), earned: new Map(), leases: [] };
  let nonce = 0;
  for (const step of steps) {
    nonce += 1;
    if (step.type === 'reorg') {
      const gone = chain.splice(Math.max(0, chain.length - step.blocks));
      if (gone.length === 0) continue;
      state = gone[0]!.before;
      const order = step.newestFirst ? [...gone].reverse() : gone;
      told.push(...order.map(({ event }): Told => ({ tidings: 'retracted', event })));
      continue;
    }
    if (step.type === 'repeat') {
      const last = told.at(-1);
      if (last) told.push(last);
      continue;
    }
    const before = copy(state);
    const log = execute(state, step, nonce);
    if (!log) continue;
    const event: ChainEvent = {
      contract: 'ComputeMarket',
      chainId: 31337,
      blockNumber: chain.length + 1,
      blockHash: `0x${nonce.toString(16).padStart(64, '0')}`,
      logIndex: 0,
      txHash: `0x${nonce.toString(16).padStart(64, 'f')}`,
      blockTimeMs: 1_000 * nonce,
      seenAtMs: 1_000 * nonce + 100,
      log,
    };
    chain.push({ before, event });
    told.push({ tidings: 'observed', event });
  }
  return { told, surviving: chain.map(({ event }) => event) };
};
