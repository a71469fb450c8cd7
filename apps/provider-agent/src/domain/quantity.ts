const FACTORS: Record<string, number> = {
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
};

/** A Kubernetes quantity in its base unit; 0 when it is absent or cannot be read. */
export const readQuantity = (quantity: string | number | undefined): number => {
  if (typeof quantity === 'number') return quantity;
  const match = /^(\d+(?:\.\d+)?(?:[eE]\d+)?)(m|[kMGTP]|[KMGTP]i)?$/.exec(quantity ?? '');
  if (!match) return 0;
  return Number(match[1]) * (match[2] === undefined ? 1 : (FACTORS[match[2]] ?? 0));
};
