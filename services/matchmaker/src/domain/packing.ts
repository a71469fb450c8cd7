import { type Amounts, DIMENSIONS, fits, leftOf, sum } from './amounts.ts';
import type { NodeFree } from './capacity-book.ts';

/** One replica that needs a machine; `tag` is handed back with it. */
export type Pod<Tag> = { readonly tag: Tag; readonly needs: Amounts };
export type Packed<Tag> = { readonly tag: Tag; readonly node: string };

/** Beyond this many machines or pods only the first path of the search is walked: still right when it finds a place. */
const MAX_SEARCHED = 64;
/** Most attempts to place a pod before the search gives up and the answer is "does not fit". */
const MAX_STEPS = 20_000;

const bySize = <Tag>(a: Pod<Tag>, b: Pod<Tag>): number =>
  b.needs.gpus - a.needs.gpus ||
  b.needs.cpuMillis - a.needs.cpuMillis ||
  b.needs.memoryMiB - a.needs.memoryMiB ||
  b.needs.storageMiB - a.needs.storageMiB;

const sameAmounts = (a: Amounts, b: Amounts): boolean =>
  a.gpus === b.gpus &&
  a.cpuMillis === b.cpuMillis &&
  a.memoryMiB === b.memoryMiB &&
  a.storageMiB === b.storageMiB;

/** Fullest machine first (fewest GPUs left, then least CPU): what stays free stays in large pieces. */
const byTightness =
  (nodes: readonly Amounts[], need: Amounts) =>
  (i: number, j: number): number => {
    const a = nodes[i]!;
    const b = nodes[j]!;
    return (
      a.gpus - need.gpus - (b.gpus - need.gpus) ||
      a.cpuMillis - b.cpuMillis ||
      a.memoryMiB - b.memoryMiB ||
      i - j
    );
  };

const candidates = (need: Amounts, nodes: readonly Amounts[]): number[] => {
  const fitting: number[] = [];
  for (let i = 0; i < nodes.length; i += 1) {
    if (!fits(need, nodes[i]!)) continue;
    // Machines with the same left are the same choice: trying one is enough.
    if (!fitting.some((j) => sameAmounts(nodes[i]!, nodes[j]!))) fitting.push(i);
  }
  return fitting.sort(byTightness(nodes, need));
};

/**
 * Largest first, each on the tightest machine: one pass, no way back. A machine that has taken a pod is tighter than before,
 * so it takes those that are alike until none fits any more; the machines are sorted once for each kind of pod.
 */
const packGreedily = <Tag>(pods: readonly Pod<Tag>[], nodes: readonly NodeFree[]): Packed<Tag>[] | null => {
  const left: Amounts[] = [...nodes];
  const packed: Packed<Tag>[] = [];
  for (let at = 0; at < pods.length;) {
    const { needs } = pods[at]!;
    let alike = at + 1;
    while (alike < pods.length && sameAmounts(pods[alike]!.needs, needs)) alike += 1;
    for (const index of fittingInOrder(needs, left, alike - at)) {
      while (at < alike && fits(needs, left[index]!)) {
        left[index] = leftOf(left[index]!, needs);
        packed.push({ tag: pods[at]!.tag, node: nodes[index]!.name });
        at += 1;
      }
      if (at === alike) break;
    }
    if (at < alike) return null;
  }
  return packed;
};

/** Machines with room for a pod, tightest first; only the first when there is but one pod. */
const fittingInOrder = (need: Amounts, nodes: readonly Amounts[], pods: number): number[] => {
  const tighter = byTightness(nodes, need);
  const fitting: number[] = [];
  for (let i = 0; i < nodes.length; i += 1) {
    if (!fits(need, nodes[i]!)) continue;
    if (pods > 1 || fitting.length === 0) fitting.push(i);
    else if (tighter(i, fitting[0]!) < 0) fitting[0] = i;
  }
  return pods > 1 ? fitting.sort(tighter) : fitting;
};

const packBySearch = <Tag>(pods: readonly Pod<Tag>[], nodes: readonly NodeFree[]): Packed<Tag>[] | null => {
  const left: Amounts[] = [...nodes];
  const chosen: number[] = [];
  let steps = 0;
  const place = (at: number): boolean => {
    const pod = pods[at];
    if (!pod) return true;
    for (const index of candidates(pod.needs, left)) {
      steps += 1;
      if (steps > MAX_STEPS) return false;
      const before = left[index]!;
      left[index] = leftOf(before, pod.needs);
      chosen[at] = index;
      if (place(at + 1)) return true;
      left[index] = before;
    }
    return false;
  };
  if (!place(0)) return null;
  return pods.map((pod, at) => ({ tag: pod.tag, node: nodes[chosen[at]!]!.name }));
};

/** How often `needs` fits into a machine, whatever else there is. */
const timesIn = (needs: Amounts, free: Amounts, atMost: number): number => {
  let times = atMost;
  for (const dimension of DIMENSIONS) {
    if (needs[dimension] > 0) times = Math.min(times, Math.floor(free[dimension] / needs[dimension]));
  }
  return times;
};

/**
 * The most pods of one kind that fit beside others that must fit as well, at most so many. Exact without others, and
 * with them as far as `pack` is.
 */
export const mostAlike = <Tag>(
  needs: Amounts,
  nodes: readonly NodeFree[],
  atMost: number,
  beside: readonly Pod<Tag>[] = [],
): number => {
  let most = 0;
  for (const node of nodes) {
    most += timesIn(needs, node, atMost - most);
    if (most === atMost) break;
  }
  if (beside.length === 0 || most === 0) return most;
  const fitsBeside = (count: number): boolean =>
    pack<Tag | null>([...beside, ...Array<Pod<null>>(count).fill({ tag: null, needs })], nodes) !== null;
  let [good, bad] = [0, most + 1];
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    if (fitsBeside(middle)) good = middle;
    else bad = middle;
  }
  return good;
};

/**
 * Finds a machine for every pod, all or nothing: best fit decreasing, with a way back while the problem is small
 * (up to 64 machines, 64 pods and 20,000 attempts).
 * @returns null when they do not fit, or when no way was found within the limits.
 */
export const pack = <Tag>(pods: readonly Pod<Tag>[], nodes: readonly NodeFree[]): Packed<Tag>[] | null => {
  if (pods.length === 1) return packGreedily(pods, nodes); // the first path is the only one
  if (!fits(sum(pods.map((pod) => pod.needs)), sum(nodes))) return null;
  const ordered = [...pods].sort(bySize);
  const greedy = packGreedily(ordered, nodes);
  if (greedy || nodes.length > MAX_SEARCHED || pods.length > MAX_SEARCHED) return greedy;
  return packBySearch(ordered, nodes);
};
