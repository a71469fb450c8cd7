import type { Micros } from '@gridbourse/kernel';

export type BudgetShare = { readonly replicas: number; readonly weight: bigint };

/**
 * Splits a budget for a whole workload into a rate per replica of each service, in proportion to the weights.
 * What is given out never exceeds the budget, and what is left is less than the smallest number of replicas, because all
 * replicas of a service have one rate: with any service of one replica, nothing is left.
 */
export const splitBudget = (
  total: Micros,
  shares: readonly BudgetShare[],
): { readonly rates: readonly Micros[]; readonly left: Micros } => {
  const equal = shares.every(({ weight }) => weight <= 0n);
  const weights = shares.map(({ weight }) => (equal ? 1n : weight));
  const sum = shares.reduce((all, { replicas }, i) => all + BigInt(replicas) * weights[i]!, 0n);
  const rates = weights.map((weight) => (total * weight) / sum);
  let left = shares.reduce((rest, { replicas }, i) => rest - BigInt(replicas) * rates[i]!, total);

  // The largest remainders first, then whoever still fits.
  const order = weights
    .map((weight, i) => ({ i, remainder: (total * weight) % sum, replicas: BigInt(shares[i]!.replicas) }))
    .sort((a, b) =>
      a.remainder > b.remainder ? -1 : a.remainder < b.remainder ? 1 : Number(b.replicas - a.replicas),
    );
  for (const { i, replicas } of order) {
    if (replicas > left) continue;
    rates[i]! += 1n;
    left -= replicas;
  }
  const smallest = order.reduce((a, b) => (b.replicas < a.replicas ? b : a));
  const more = left / smallest.replicas;
  rates[smallest.i]! += more;
  left -= more * smallest.replicas;
  return { rates, left };
};
