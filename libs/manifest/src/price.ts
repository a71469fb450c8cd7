import type { Micros } from '@gridbourse/kernel';
import { MICROS_PER_USDC } from '@gridbourse/kernel';
import { type Context, LIMITS } from './context.ts';
import { asMap, expected, Fields } from './fields.ts';
import { didYouMean, quoted } from './nearest.ts';
import { AKASH_BLOCKS_PER_HOUR, defaultPriceTable, FLOATING_TOKENS, type PriceTable } from './price-table.ts';
import { type Decimal, multiply, readDecimal, timesFloor } from './quantity.ts';
import type { YamlNode } from './yaml-tree.ts';

const USD_PER_TOKEN = (context: Context, overrides: PriceTable): PriceTable => ({
  ...defaultPriceTable[context.dialect],
  ...overrides,
});

/**
 * One price of a placement: the most that one replica may cost, micro-USDC per hour, rounded down so that the tenant's
 * limit is never passed. `price-table.ts` has the rule and its basis. Null when it is faulty.
 */
export const readPrice = (context: Context, node: YamlNode, overrides: PriceTable): Micros | null => {
  const { report, dialect } = context;
  const map = asMap(report, node, 'a map with a token and an amount');
  if (map === null) return null;
  const tokenField = map.entries.has('token') || dialect === 'spheron-icl' ? 'token' : 'denom';
  const tokenName = map.entries.has('denom') ? 'denom' : tokenField;
  const fields = new Fields(report, map, [tokenName, 'amount']);
  const token = fields.needText(tokenName, 'a token');
  const amountNode = fields.need('amount', 'an amount');
  const amount = amountNode?.kind === 'scalar' ? readDecimal(amountNode.text) : null;
  if (amountNode !== null && (amount === null || amount.units <= 0n)) {
    expected(report, amountNode, 'an amount above zero, in digits and a point');
    return null;
  }
  if (token === null || amount === null) return null;
  const usd = usdPerToken(context, fields.get(tokenName)!, token, overrides);
  if (usd === null) return null;
  const value = multiply(amount, usd);
  const micros =
    dialect === 'akash-sdl' ? timesFloor(value, AKASH_BLOCKS_PER_HOUR) : timesFloor(value, MICROS_PER_USDC);
  if (micros < 1n || micros > LIMITS.rateMicrosPerHour) {
    report.fault(
      amountNode!,
      'the price is outside of what can be paid: from a millionth to a billion USDC per hour',
    );
    return null;
  }
  return micros;
};

const usdPerToken = (
  context: Context,
  node: YamlNode,
  token: string,
  overrides: PriceTable,
): Decimal | null => {
  const { report } = context;
  const table = USD_PER_TOKEN(context, overrides);
  const names = Object.keys(table);
  const name =
    names.find((known) => known === token) ??
    names.find((known) => known.toLowerCase() === token.toLowerCase());
  const rate = name === undefined ? null : readDecimal(table[name]!);
  if (name === undefined || rate === null || rate.units <= 0n) {
    report.fault(
      node,
      `no price is known for the token ${quoted(token)}${didYouMean(token, names)}; known: ${names.join(', ')}`,
    );
    return null;
  }
  if (FLOATING_TOKENS.has(name) && !Object.hasOwn(overrides, name)) {
    report.warn(
      node,
      'assumed_token_price',
      `${name} is taken at ${table[name]} USD per token; its price moves`,
    );
  }
  return rate;
};
