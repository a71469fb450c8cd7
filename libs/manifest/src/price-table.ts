/**
 * USD per whole token, as decimal text (exact: no floating point near money). Keys are denominations as manifests
 * write them.
 */
export type PriceTable = Readonly<Record<string, string>>;
