import { type Random } from '@gridbourse/kernel';
import { AbiCoder, concat, Interface } from 'ethers';
import { type Compiled } from './compile.ts';
import {
  ADMIN,
  DAY_SECONDS,
  type GasMarket,
  type LeaseAt,
  OPERATOR,
  RATE_MICROS_PER_HOUR,
} from './market.ts';
import { type ColdAndWarm, settleTwice } from './settlements.ts';

/** docs/decisions/0014: four settled amounts to a slot, two leases' terms to another. */
const LOCK_MICROS = (RATE_MICROS_PER_HOUR * BigInt(DAY_SECONDS)) / 3_600n;
const PROVIDERS = 16;
const LEASES = 256;
const OPEN_OF_PROVIDER = LEASES / PROVIDERS;
/** A provider's serials are drawn from so many mean numbers of open leases: hardly any lives longer. */
const LIFETIMES = 12;

const perProvider = (serialsOf: (providerId: number) => readonly bigint[]): LeaseAt[] =>
  Array.from({ length: PROVIDERS }, (_, index) => index + 1).flatMap((providerId) =>
    serialsOf(providerId).map((serial) => ({ providerId, serial })),
  );

const serials = (count: number, step: bigint): bigint[] =>
  Array.from({ length: count }, (_, index) => 64n + BigInt(index) * step);

/**
 * Leases as they stand after years of coming and going: serials are given out in order and never again, each lease
 * lives a random time (exponential, so that a provider has 16 open on average), and what is left is what is settled.
 */
export const grownOld = (random: Random): LeaseAt[] =>
  perProvider(() => {
    const first = 64n;
    const drawn = LIFETIMES * OPEN_OF_PROVIDER;
    return Array.from({ length: drawn }, (_, index) => index)
      .filter((index) => random.next() < Math.exp(-(drawn - index) / OPEN_OF_PROVIDER))
      .map((index) => first + BigInt(index));
  });

export type PackedCosts = Readonly<
  Record<'dense' | 'grownOld' | 'oneOfFour' | 'oneProvider', { leases: number; costs: ColdAndWarm }>
>;

/** Settles the same leases on the packed prototype, behind the same proxy and with the same role. */
export const packedCosts = (
  at: GasMarket,
  { prototype, proxy: proxyCode }: { readonly prototype: Compiled; readonly proxy: Compiled },
  random: Random,
): Promise<PackedCosts> =>
  at.chain.undone(async () => {
    const { chain, addresses } = at;
    const abi = new Interface(prototype.abi);
    const constructorArguments = AbiCoder.defaultAbiCoder().encode(
      ['address', 'address'],
      [addresses.TestUSDC, addresses.UpgradeTimelock],
    );
    const code = await chain.create(ADMIN, concat([prototype.bytecode, constructorArguments]));
    const initialize = abi.encodeFunctionData('initialize', [ADMIN]);
    const proxyArguments = AbiCoder.defaultAbiCoder().encode(['address', 'bytes'], [code, initialize]);
    const proxy = await chain.create(ADMIN, concat([proxyCode.bytecode, proxyArguments]));
    const operatorRole = await chain.call(proxy, abi.encodeFunctionData('OPERATOR_ROLE'));
    const grant = abi.encodeFunctionData('grantRole', [operatorRole, OPERATOR]);
    await chain.send({ from: ADMIN, to: proxy, data: grant });

    const settle = (leases: readonly LeaseAt[]): Promise<{ leases: number; costs: ColdAndWarm }> =>
      chain.undone(async () => {
        for (const providerId of new Set(leases.map((lease) => lease.providerId))) {
          const own = leases.filter((lease) => lease.providerId === providerId).map(({ serial }) => serial);
          const args = [providerId, own, LOCK_MICROS, RATE_MICROS_PER_HOUR];
          await chain.send({ from: OPERATOR, to: proxy, data: abi.encodeFunctionData('open', args) });
        }
        return { leases: leases.length, costs: await settleTwice(at, leases, proxy) };
      });
    return {
      dense: await settle(perProvider(() => serials(OPEN_OF_PROVIDER, 1n))),
      grownOld: await settle(grownOld(random)),
      oneOfFour: await settle(perProvider(() => serials(OPEN_OF_PROVIDER, 4n))),
      oneProvider: await settle(serials(LEASES, 1n).map((serial) => ({ providerId: 1, serial }))),
    };
  });
