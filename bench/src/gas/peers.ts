import { interfaces } from '@gridbourse/chain';
import { Interface } from 'ethers';
import { type Cost } from './chain.ts';
import { type Compiled } from './compile.ts';
import { ADMIN, amountsAbove, type GasMarket, type LeaseAt, payeeOf, TENANT } from './market.ts';

const usdc = interfaces.TestUSDC;
const FIRST_MICROS = 2_000_000n;
const SECOND_MICROS = 5_500_000n;

export type PeerCosts = {
  /** one payment by `transfer`, to somebody who has some already */
  readonly transfer: Cost;
  /** a transaction of as many `transferFrom` as there are leases, to the same providers */
  readonly sameProviders: Cost;
  readonly onePayee: Cost;
  readonly distinctPayees: Cost;
  /** the same to the same providers, with one slot for each lease, so that a batch that comes twice pays once */
  readonly remembering: Cost;
};

/** What paying the same amounts costs with nothing but the token: payees have been paid before, as with a warm batch. */
export const peerCosts = (
  { chain, addresses }: GasMarket,
  naive: Compiled,
  leases: readonly LeaseAt[],
): Promise<PeerCosts> =>
  chain.undone(async () => {
    const batch = await chain.create(ADMIN, naive.bytecode);
    const payInterface = new Interface(naive.abi);
    const send = (to: string, data: string): Promise<Cost> => chain.send({ from: TENANT, to, data });
    await send(addresses.TestUSDC, usdc.encodeFunctionData('approve', [batch, 2n ** 256n - 1n]));
    const pay = async (payees: readonly string[]): Promise<Cost> => {
      const amounts = amountsAbove(FIRST_MICROS, payees.length);
      const data = payInterface.encodeFunctionData('pay', [addresses.TestUSDC, payees, amounts]);
      await send(batch, data);
      return send(batch, data);
    };
    const providers = leases.map(({ providerId }) => payeeOf(1_000 + providerId));
    const ids = leases.map(({ providerId, serial }) => (BigInt(providerId) << 64n) + serial);
    const settle = (fromMicros: bigint): Promise<Cost> => {
      const args = [addresses.TestUSDC, ids, providers, amountsAbove(fromMicros, ids.length)];
      return send(batch, payInterface.encodeFunctionData('settle', args));
    };
    const transfer = usdc.encodeFunctionData('transfer', [payeeOf(0), FIRST_MICROS]);
    await send(addresses.TestUSDC, transfer);
    return {
      transfer: await send(addresses.TestUSDC, transfer),
      sameProviders: await pay(providers),
      onePayee: await pay(leases.map(() => payeeOf(1))),
      distinctPayees: await pay(leases.map((_, index) => payeeOf(2_000 + index))),
      remembering: await settle(FIRST_MICROS).then(() => settle(SECOND_MICROS)),
    };
  });
