import { seededRandom } from '@gridbourse/kernel';
import { z } from 'zod';
import { defineBenchmark } from '../frame/benchmark.ts';
import { rounded } from '../frame/statistics.ts';
import { costUsd, l1Units, type Prices } from './arbitrum.ts';
import { type Cost, GasChain } from './chain.ts';
import { compile } from './compile.ts';
import { openGasMarket, openLeases, spread } from './market.ts';
import { operationCosts } from './operations.ts';
import { packedCosts } from './packed.ts';
import { peerCosts } from './peers.ts';
import { settleTwice } from './settlements.ts';

const BATCHES = [1, 16, 64, 256];
const PROVIDERS = [1, 16, 256];
const LEASES = 256;
const NAIVE = 'bench/contracts/NaiveBatch';
const PACKED = 'bench/contracts/PackedLeases';
const PROXY = 'contracts/src/GridbourseProxy';

const price = (most: number): z.ZodNumber => z.number().positive().max(most);

/**
 * Gas of whole transactions on a local chain, which is what Arbitrum charges for execution; the L1 part by Arbitrum's
 * formula; and dollars by formula, for prices that are said with them.
 */
export const gasBenchmark = defineBenchmark({
  name: 'gas',
  summary:
    'gas of a settled lease by batch and providers, and of every other operation, against bare token transfers',
  options: z.object({
    seed: z.int().min(0).default(1).describe('of the spread of leases over providers'),
    ethUsd: price(1e6).default(3_000).describe('dollars of one ETH, for the dollar formula'),
    l2Gwei: price(1e6).default(0.02).describe("Arbitrum's base fee in gwei (its floor is 0.02)"),
    l1UnitGwei: price(1e6)
      .default(0.1)
      .describe(
        'price of one L1 unit in gwei (a compressed byte has 16), as ArbGasInfo.getPricesInWei tells it',
      ),
  }),
  run: async ({ seed, ethUsd, l2Gwei, l1UnitGwei }, context) => {
    const prices: Prices = { ethUsd, l2Gwei, l1UnitGwei };
    const compiled = compile([NAIVE, PACKED, PROXY]);
    const market = await openGasMarket(await GasChain.start(context), Math.max(...PROVIDERS));
    const figures: Record<string, number> = {};
    const peers: Record<string, number> = {};
    const note = (into: Record<string, number>, name: string, cost: Cost, count = 1): void => {
      into[`${name}.gas`] = Math.round(cost.gas / count);
      into[`${name}.calldataBytes`] = rounded(cost.calldataBytes / count);
      into[`${name}.l1Units`] = rounded(l1Units(cost.l1Bytes) / count);
      context.progress(`${name}: ${into[`${name}.gas`]} gas, ${into[`${name}.l1Units`]} L1 units`);
    };

    for (const providers of PROVIDERS) {
      const leases = spread(seededRandom(seed), LEASES, providers, BigInt(providers) * 1_000n);
      context.progress(`opening ${LEASES} leases of ${providers} providers`);
      await openLeases(market, leases);
      for (const batch of BATCHES) {
        const { cold, warm } = await settleTwice(market, leases.slice(0, batch));
        note(figures, `settle.${batch}of${providers}.cold`, cold, batch);
        note(figures, `settle.${batch}of${providers}.warm`, warm, batch);
      }
    }
    for (const [name, cost] of Object.entries(await operationCosts(market))) note(figures, name, cost);

    const codes = { prototype: compiled[PACKED], proxy: compiled[PROXY] };
    const packed = await packedCosts(market, codes, seededRandom(seed));
    for (const [name, { leases, costs }] of Object.entries(packed)) {
      note(figures, `packed.${name}.warm`, costs.warm, leases);
      note(figures, `packed.${name}.cold`, costs.cold, leases);
      figures[`packed.${name}.leases`] = leases;
    }

    const spread16 = spread(seededRandom(seed), LEASES, 16, 0n);
    const costs = await peerCosts(market, compiled[NAIVE], spread16);
    note(peers, 'transfer', costs.transfer);
    note(peers, 'naiveBatch.256of16', costs.sameProviders, LEASES);
    note(peers, 'rememberingBatch.256of16', costs.remembering, LEASES);
    note(peers, 'naiveBatch.256of1', costs.onePayee, LEASES);
    note(peers, 'naiveBatch.256of256', costs.distinctPayees, LEASES);

    const settled = figures['settle.256of16.warm.gas']!;
    const units = figures['settle.256of16.warm.l1Units']!;
    const dollars = rounded(costUsd(settled, units, prices));
    context.progress(
      `a settled lease of 256 over 16 providers: (${settled} gas + ${units} L1 units x ${l1UnitGwei} gwei / ${l2Gwei} gwei) x ${l2Gwei} gwei x ${ethUsd} USD/ETH = ${dollars} USD`,
    );
    return {
      figures: {
        ...figures,
        'formula.ethUsd': ethUsd,
        'formula.l2Gwei': l2Gwei,
        'formula.l1UnitGwei': l1UnitGwei,
        'formula.settle256of16Usd': dollars,
      },
      peers,
      ratios: {
        settle256of16ToTransfer: rounded(settled / peers['transfer.gas']!),
        settle256of16ToNaiveBatch: rounded(settled / peers['naiveBatch.256of16.gas']!),
        settle256of16ToRememberingBatch: rounded(settled / peers['rememberingBatch.256of16.gas']!),
        settle256of256ToNaiveBatch: rounded(
          figures['settle.256of256.warm.gas']! / peers['naiveBatch.256of256.gas']!,
        ),
        settle256of1ToNaiveBatch: rounded(
          figures['settle.256of1.warm.gas']! / peers['naiveBatch.256of1.gas']!,
        ),
        packedGrownOldToSettle256of16: rounded(figures['packed.grownOld.warm.gas']! / settled),
        packedDenseToSettle256of16: rounded(figures['packed.dense.warm.gas']! / settled),
      },
    };
  },
});
