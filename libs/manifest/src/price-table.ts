/**
 * USD per whole token, as decimal text (exact: no floating point near money). Keys are denominations as manifests
 * write them.
 *
 * The rule, by dialect:
 * - **Akash SDL**: an amount is the most that one replica may cost **per block**, in millionths of the token (`uact`, `uakt`,
 *   `ibc/…`). Basis: the SDL reference ("a max price … of 8 and 15 uakt per block"). A block takes 6 s on average
 *   (`averageBlockTime` in the Akash console), so an hour has 600. `uact` is the micro-ACT, pegged to the US dollar;
 *   `ibc/170C…` is USDC on the Akash main network (`usdcIbcDenoms` in the Akash console).
 * - **Spheron ICL**: an amount is the most that one replica may cost **per hour**, in whole tokens. Basis: the ICL reference
 *   ("a maximum price of 1.5 uSPON per hour for the web compute profiles"); the protocol SDK divides it by the 1800 blocks of an
 *   hour. `uSPON` is the "usd pegged SPON", in spite of its `u`.
 *
 * 1 USD is taken as 1 USDC. The rate of AKT is not pegged to anything: the default is deliberately low, so that a tenant
 * never spends more than was meant; every use of it is a warning, and callers should pass the rate of the day.
 */
export type PriceTable = Readonly<Record<string, string>>;

export const AKASH_BLOCKS_PER_HOUR = 600n;

/** The USDC of Noble on the Akash main network, and on its sandbox. */
const USDC_ON_AKASH = 'ibc/170C677610AC31DF0904FFE09CD3B5C657492170E7E52372E48756B71E56F2F1';
const USDC_ON_AKASH_SANDBOX = 'ibc/12C6A0C374171B595A0A9E18B83FA09D295FB1F2D8C6DAA3AC28683471752D84';

/** Tokens whose rate moves: using the default for one of them is said out loud. */
export const FLOATING_TOKENS: ReadonlySet<string> = new Set(['uakt']);

export const defaultPriceTable: Readonly<Record<'akash-sdl' | 'spheron-icl', PriceTable>> = {
  'akash-sdl': { uact: '1', uakt: '0.50', uusdc: '1', [USDC_ON_AKASH]: '1', [USDC_ON_AKASH_SANDBOX]: '1' },
  'spheron-icl': { uSPON: '1', USDC: '1', USDT: '1' },
};
