import type { Quantity, ResourceList } from './objects.ts';

const SUFFIXES: Record<string, number> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

const QUANTITY = /^([+-]?\d+(?:\.\d*)?|[+-]?\.\d+)(?:([eE][+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)$/;

/** The number a quantity stands for in its base unit (cores, bytes, pieces); NaN when it is not one. */
export const parseQuantity = (quantity: Quantity): number => {
  if (typeof quantity === 'number') return quantity;
  const match = QUANTITY.exec(quantity.trim());
  if (!match) return Number.NaN;
  return match[2] === undefined
    ? Number(match[1]) * SUFFIXES[match[3] ?? '']!
    : Number(`${match[1]}${match[2]}`);
};

/** cpu in thousandths of a core, everything else in its base unit; whole numbers, rounded up as the scheduler does. */
export const amountOf = (resource: string, quantity: Quantity): number => {
  const value = parseQuantity(quantity);
  return Math.ceil(resource.endsWith('cpu') ? Number((value * 1_000).toFixed(6)) : Number(value.toFixed(6)));
};

/** The canonical text of an amount as `amountOf` gives it. */
export const formatAmount = (resource: string, amount: number): string => {
  if (resource.endsWith('cpu')) return amount % 1_000 === 0 ? String(amount / 1_000) : `${amount}m`;
  if (/memory|storage|hugepages/.test(resource) && amount > 0) {
    for (const unit of ['Ti', 'Gi', 'Mi', 'Ki']) {
      if (amount % SUFFIXES[unit]! === 0) return `${amount / SUFFIXES[unit]!}${unit}`;
    }
  }
  return String(amount);
};

export type Amounts = Map<string, number>;

export const amountsOf = (list: ResourceList | undefined): Amounts =>
  new Map(Object.entries(list ?? {}).map(([resource, quantity]) => [resource, amountOf(resource, quantity)]));

export const addAmounts = (total: Amounts, more: Amounts): Amounts => {
  for (const [resource, amount] of more) total.set(resource, (total.get(resource) ?? 0) + amount);
  return total;
};
