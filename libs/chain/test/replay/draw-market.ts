import { id } from 'ethers';
import { MAX_AMOUNT_MICROS, MAX_UINT64 } from '../../src/model/amounts.ts';
import { tenantOf } from '../../src/model/consent.ts';
import { closableAt, earnedBy, isOpen } from '../../src/model/leases.ts';
import { type Operation } from '../../src/model/model.ts';
import { balanceOf } from '../../src/model/token.ts';
import { type Address, type Batch, type BatchGroup } from '../../src/model/values.ts';
import { type LeaseState, type World } from '../../src/model/world.ts';
import { deployment, everyone, leaseKeys, providerIds, tenants, UNKNOWN_PROVIDER } from './cast.ts';
import { type Dice } from './dice.ts';
import { FOREVER, NO_SIGNATURE, type Papers } from './papers.ts';

/** Calls that mean something in the world as it is: near the bounds that the contract checks, mostly from who may. */
type Distributed<T> = T extends unknown ? Omit<T, 'afterSeconds'> : never;
export type DrawnCall = Distributed<Operation>;

const OPERATOR = deployment.roles.OPERATOR_ROLE.holder;
const RATE = 3_600_000n;
const SERIAL_MASK = 2n ** 64n - 1n;
const TOP = [MAX_AMOUNT_MICROS, MAX_AMOUNT_MICROS + 1n, MAX_UINT64];

/** Who should send it, in nine of ten; otherwise anyone. */
export const mostly = (dice: Dice, sender: Address): Address =>
  dice.percent(92) ? sender : dice.pick(everyone);

/** An amount beside or within a bound, sometimes nothing or the most there is. */
export const amountAbout = (dice: Dice, bound: bigint): bigint =>
  dice.weighted<() => bigint>([
    [3, () => 0n],
    [2, () => 1n],
    [12, () => dice.about(bound)],
    [30, () => dice.upTo(bound)],
    [3, () => dice.pick(TOP)],
  ])();

const openKeys = (world: World): bigint[] =>
  [...world.market.leases].filter(([, lease]) => isOpen(lease)).map(([key]) => key);

export const hasOpenLease = (world: World): boolean => openKeys(world).length > 0;

/** An open lease if there is one, in most cases. */
const leaseKey = (world: World, dice: Dice): bigint => {
  const open = openKeys(world);
  return open.length > 0 && dice.percent(88) ? dice.pick(open) : dice.pick(leaseKeys);
};

const partyOf = (world: World, dice: Dice, key: bigint): Address => {
  const lease = world.market.leases.get(key);
  if (!lease) return dice.pick(tenants);
  const owner = world.registry.providers.get(lease.providerId)?.owner;
  return mostly(dice, dice.percent(50) || owner === undefined ? lease.tenant : owner);
};

/** A cumulative amount near what the contract compares it with. */
const cumulativeOf = (world: World, dice: Dice, lease: LeaseState | undefined): bigint => {
  if (!lease) return dice.upTo(RATE);
  const earned = earnedBy(lease, world.nowSeconds);
  const most = earned < lease.lock ? earned : lease.lock;
  return (
    dice.weighted<() => bigint>([
      [3, () => dice.about(lease.settled)],
      [3, () => dice.about(lease.lock)],
      [4, () => dice.about(earned)],
      [6, () => dice.about(most)],
      [8, () => (most > lease.settled ? lease.settled + dice.upTo(most - lease.settled) : lease.settled)],
      [1, () => 0n],
      [1, () => dice.pick(TOP)],
    ])() & MAX_UINT64
  );
};

const batch = (world: World, dice: Dice): Batch => {
  if (dice.percent(4)) {
    return { malformed: dice.pick(['0x', '0x00', '0x000000010000', `0x000000010002${'00'.repeat(31)}`]) };
  }
  const groups: BatchGroup[] = [];
  for (let left = 1 + dice.below(3); left > 0; left -= 1) {
    const providerId = dice.percent(4) ? UNKNOWN_PROVIDER : dice.pick(providerIds);
    const keys = leaseKeys.filter((key) => key >> 64n === providerId);
    const rows = Array.from({ length: 1 + dice.below(4) }, () => {
      const key = dice.pick(keys);
      return {
        serial: key & SERIAL_MASK,
        cumulative: cumulativeOf(world, dice, world.market.leases.get(key)),
      };
    });
    groups.push({ providerId, rows });
  }
  return { groups };
};

const rate = (dice: Dice): bigint =>
  dice.weighted<bigint>([
    [12, RATE],
    [6, RATE + 1n],
    [6, 7n],
    [6, 2_499_999n],
    [2, 0n],
    [1, MAX_UINT64],
    [2, 7_200_001n],
  ]);
const duration = (dice: Dice): bigint =>
  BigInt(dice.pick([0, 1, 59, 3_599, 3_600, 3_601, 7_200, 86_400, 86_400, 86_401, 2 ** 32 - 1]));

const limitAmount = (dice: Dice): bigint =>
  dice.pick([0n, RATE, 2n * RATE, 86_400_000n, MAX_UINT64, MAX_UINT64, MAX_UINT64, MAX_UINT64]);
const validUntil = (world: World, dice: Dice): bigint =>
  dice.pick([0n, world.nowSeconds, world.nowSeconds + 3_600n, FOREVER, FOREVER, FOREVER, FOREVER]);

type Draw = (world: World, dice: Dice, papers: Papers) => DrawnCall;

const tenantsDraws: readonly (readonly [number, Draw])[] = [
  [
    6,
    (world, dice) => {
      const sender = dice.pick(tenants);
      const args = [amountAbout(dice, balanceOf(world, sender) & MAX_AMOUNT_MICROS)] as const;
      return { contract: 'market', method: 'deposit', sender, args };
    },
  ],
  [
    3,
    (_world, dice, { permits }) => {
      const { tenant, args, signature } = dice.pick(permits);
      const amount = dice.percent(85) ? args[0] : args[0] - 1n;
      const sender = mostly(dice, tenant);
      return { contract: 'market', method: 'depositWithPermit', sender, args: [amount, args[1], signature] };
    },
  ],
  [
    3,
    (_world, dice, { authorizations }) => {
      const { tenant, args, signature } = dice.pick(authorizations);
      const [from, amount, validAfter, validBefore, nonce] = args;
      const asked = dice.percent(90) ? amount : amount + 1n;
      const sender = dice.percent(50) ? tenant : dice.pick(everyone);
      return {
        contract: 'market',
        method: 'depositWithAuthorization',
        sender,
        args: [from, asked, validAfter, validBefore, nonce, signature],
      };
    },
  ],
  [
    3,
    (world, dice) => ({
      contract: 'market',
      method: 'setSpendingLimit',
      sender: dice.pick(tenants),
      args: [limitAmount(dice), limitAmount(dice), validUntil(world, dice)],
    }),
  ],
  [
    2,
    (_world, dice, { limits }) => {
      const { args, signature } = dice.pick(limits);
      const [tenant, maxRatePerHour, maxLocked, until, nonce, deadline] = args;
      const asked = dice.percent(90) ? maxLocked : maxLocked ^ 1n;
      return {
        contract: 'market',
        method: 'setSpendingLimitWithSignature',
        sender: dice.pick(everyone),
        args: [tenant, maxRatePerHour, asked, until, nonce, deadline, signature],
      };
    },
  ],
  [
    3,
    (_world, dice, { orders }) => {
      const { tenant, args } = dice.pick(orders);
      return { contract: 'market', method: 'createOrder', sender: mostly(dice, tenant), args };
    },
  ],
  [
    1,
    (_world, dice) => ({
      contract: 'market',
      method: 'cancelNonce',
      sender: dice.pick(tenants),
      args: [dice.pick([0n, 1n, 2n, 3n, 16n, 256n])],
    }),
  ],
  [
    5,
    (world, dice) => {
      const sender = dice.pick(tenants);
      return {
        contract: 'market',
        method: 'withdraw',
        sender,
        args: [amountAbout(dice, tenantOf(world, sender).free)],
      };
    },
  ],
];

export const openingDraws: readonly (readonly [number, Draw])[] = [
  [
    12,
    (world, dice) => {
      const unused = leaseKeys.filter((key) => !world.market.leases.has(key));
      const key = unused.length > 0 && dice.percent(90) ? dice.pick(unused) : dice.pick(leaseKeys);
      const tenant =
        tenants[
          dice.weighted([
            [6, 0],
            [4, 1],
            [2, 2],
          ])
        ]!;
      return {
        contract: 'market',
        method: 'openLease',
        sender: mostly(dice, OPERATOR),
        args: [key, tenant, rate(dice), duration(dice), id(String(key))],
      };
    },
  ],
  [
    8,
    (world, dice, { orders }) => {
      const created = orders.filter(({ args }) => world.market.createdOrders.has(args[0].hash));
      const onChain = created.length > 0 && dice.percent(50);
      const { args, signature } = dice.pick(onChain ? created : orders);
      const [order] = args;
      const fitting = leaseKeys.filter(
        (key) =>
          !world.market.leases.has(key) && (order.providerId === 0n || key >> 64n === order.providerId),
      );
      const key = fitting.length > 0 && dice.percent(90) ? dice.pick(fitting) : dice.pick(leaseKeys);
      const asked =
        dice.percent(75) && order.maxRatePerHour < MAX_UINT64 ? dice.about(order.maxRatePerHour) : rate(dice);
      const signed = onChain || dice.percent(5) ? NO_SIGNATURE : signature;
      return {
        contract: 'market',
        method: 'openLeaseWithOrder',
        sender: mostly(dice, OPERATOR),
        args: [key, asked, duration(dice), id(String(key)), order, signed],
      };
    },
  ],
];

const operatorsDraws: readonly (readonly [number, Draw])[] = [
  ...openingDraws,
  [
    8,
    (world, dice) => {
      const key = leaseKey(world, dice);
      const tenant = world.market.leases.get(key)?.tenant ?? dice.pick(tenants);
      const sender = mostly(dice, dice.percent(50) ? tenant : OPERATOR);
      return { contract: 'market', method: 'extendLease', sender, args: [key, duration(dice)] };
    },
  ],
  [
    16,
    (world, dice) => ({
      contract: 'market',
      method: 'settleBatch',
      sender: mostly(dice, OPERATOR),
      args: [batch(world, dice)],
    }),
  ],
  [
    7,
    (world, dice) => {
      const key = leaseKey(world, dice);
      const cumulative = cumulativeOf(world, dice, world.market.leases.get(key));
      const sender = mostly(dice, OPERATOR);
      return { contract: 'market', method: 'closeLease', sender, args: [key, cumulative] };
    },
  ],
];

const exitsDraws: readonly (readonly [number, Draw])[] = [
  [
    6,
    (world, dice) => {
      const key = leaseKey(world, dice);
      return { contract: 'market', method: 'stopLease', sender: partyOf(world, dice, key), args: [key] };
    },
  ],
  [
    7,
    (world, dice) => {
      const key = leaseKey(world, dice);
      return { contract: 'market', method: 'forceClose', sender: partyOf(world, dice, key), args: [key] };
    },
  ],
  [
    6,
    (world, dice) => {
      const id_ = dice.percent(4) ? UNKNOWN_PROVIDER : dice.pick(providerIds);
      const provider = world.registry.providers.get(id_);
      const party = provider && dice.percent(50) ? provider.owner : (provider?.payout ?? dice.pick(everyone));
      return { contract: 'market', method: 'claim', sender: mostly(dice, party), args: [id_] };
    },
  ],
];

export const marketDraws = [...tenantsDraws, ...operatorsDraws, ...exitsDraws];

/** Seconds at which a lease's rules change their answer. */
export const leaseTimes = (world: World): bigint[] =>
  [...world.market.leases.values()].filter(isOpen).flatMap((lease) => {
    const closable = closableAt(world, lease);
    return [closable, closable - deployment.forceCloseAfterSeconds];
  });
