import { DomainError } from '@gridbourse/kernel';
import { unpackResults } from '@gridbourse/chain';
import { AbiCoder } from 'ethers';
import { type Cost, type Sent } from './chain.ts';
import { amountsAbove, type GasMarket, HOUR_SECONDS, type LeaseAt, OPERATOR, settleData } from './market.ts';

/** Within what an hour earns, and what the next one does. */
const FIRST_MICROS = 2_000_000n;
const SECOND_MICROS = 5_500_000n;

export type ColdAndWarm = { readonly cold: Cost; readonly warm: Cost };

/** The contract skips what it cannot honour: what was skipped was not settled, and says nothing. */
const requireAllPaid = ({ logs }: Sent, leases: readonly LeaseAt[]): void => {
  const [packed] = AbiCoder.defaultAbiCoder().decode(['bytes'], logs[0]!.data);
  const { rows } = unpackResults(packed as string);
  if (rows.length !== leases.length) {
    throw new DomainError('internal', 'rows_skipped', `${rows.length} of ${leases.length} rows were paid`);
  }
};

/**
 * A batch, twice. Cold: the first settlement ever of these leases, and of these providers (whose earnings slot goes from
 * zero to something: 17,100 gas more for each). Warm: every later one. Both start a transaction, so no slot is in the
 * access list yet.
 */
export const settleTwice = (
  { chain, addresses }: GasMarket,
  leases: readonly LeaseAt[],
  to = addresses.ComputeMarket,
): Promise<ColdAndWarm> =>
  chain.undone(async () => {
    await chain.pass(HOUR_SECONDS);
    const cold = await chain.send({
      from: OPERATOR,
      to,
      data: settleData(leases, amountsAbove(FIRST_MICROS, leases.length)),
    });
    await chain.pass(HOUR_SECONDS);
    const warm = await chain.send({
      from: OPERATOR,
      to,
      data: settleData(leases, amountsAbove(SECOND_MICROS, leases.length)),
    });
    for (const sent of [cold, warm]) requireAllPaid(sent, leases);
    return { cold, warm };
  });
