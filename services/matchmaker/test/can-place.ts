import { type Amounts, fits, leftOf } from '../src/domain/amounts.ts';

/** Every way to put the pods on the machines, tried one by one. */
export const canPlaceAll = (pods: readonly Amounts[], left: readonly Amounts[]): boolean => {
  const [pod, ...rest] = pods;
  if (!pod) return true;
  return left.some((node, i) => fits(pod, node) && canPlaceAll(rest, left.with(i, leftOf(node, pod))));
};
