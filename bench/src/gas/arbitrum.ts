import { constants, brotliCompressSync } from 'node:zlib';

/**
 * What Arbitrum charges besides gas: a transaction that the sequencer posts pays for its bytes on L1.
 *
 * `units = 16 x length of the whole signed transaction, compressed by brotli`, `L1 fee = units x price of a unit`, and the
 * fee is taken as gas: `L1 gas = L1 fee / L2 base fee`. Sources: OffchainLabs/nitro, arbos/l1pricing/l1pricing.go
 * (`getPosterUnitsWithoutCache`, `GetPosterInfo`) and docs/arbos/l1-pricing.md. The price of a unit is what ArbOS has
 * learnt that posting costs; `ArbGasInfo.getPricesInWei` tells it (as "per L1 calldata unit; a byte is 16 units").
 */
const UNITS_PER_BYTE = 16;

/** ArbOS compresses at this level since version 20 (before: 0), with brotli's default window. */
const BROTLI_LEVEL = 1;

/** Bytes that a signed transaction has for the L1 fee. */
export const compressedBytes = (signedTransaction: string): number =>
  brotliCompressSync(Buffer.from(signedTransaction.slice(2), 'hex'), {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: BROTLI_LEVEL,
      [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_DEFAULT_WINDOW,
    },
  }).length;

export const l1Units = (bytes: number): number => bytes * UNITS_PER_BYTE;

export type Prices = {
  /** dollars of one ETH */
  readonly ethUsd: number;
  /** L2 base fee, in gwei */
  readonly l2Gwei: number;
  /** price of one L1 unit, in gwei */
  readonly l1UnitGwei: number;
};

/** Gas that stands for the L1 fee. */
export const l1Gas = (units: number, { l2Gwei, l1UnitGwei }: Prices): number => (units * l1UnitGwei) / l2Gwei;

const GWEI_PER_ETH = 1e9;

/** `(gas + units x price of a unit / L2 base fee) x L2 base fee x price of ETH`. Never say it without the prices. */
export const costUsd = (gas: number, units: number, prices: Prices): number =>
  ((gas + l1Gas(units, prices)) * prices.l2Gwei * prices.ethUsd) / GWEI_PER_ETH;
