import { type Amounts, DIMENSIONS, fits, leftOf, sum } from './amounts.ts';
import type { NodeFree } from './capacity-book.ts';

/** One replica that needs a machine; `tag` is handed back with it. */
export type Pod<Tag> = { readonly tag: Tag; readonly needs: Amounts };
/** Where a pod goes: the machine's name, and its place among the machines that were offered. */
export type Packed<Tag> = { readonly tag: Tag; readonly node: string; readonly at: number };

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

/** Fullest machine first (fewest GPUs, then least CPU): what stays free stays in large pieces. */
const tightness = (a: Amounts, b: Amounts): number =>
  a.gpus - b.gpus || a.cpuMillis - b.cpuMillis || a.memoryMiB - b.memoryMiB;

const byTightness =
  (nodes: readonly Amounts[]) =>
  (i: number, j: number): number =>
    tightness(nodes[i]!, nodes[j]!) || i - j;

/** Place of the fullest machine with room for one pod; -1 when there is none. */
const tightestOf = (need: Amounts, nodes: readonly Amounts[]): number => {
  let tightest = -1;
  for (let i = 0; i < nodes.length; i += 1) {
    const node = nodes[i]!;
    if (fits(need, node) && (tightest < 0 || tightness(node, nodes[tightest]!) < 0)) tightest = i;
  }
  return tightest;
};

const candidates = (need: Amounts, nodes: readonly Amounts[]): number[] => {
  const fitting: number[] = [];
  for (let i = 0; i < nodes.length; i += 1) {
    if (!fits(need, nodes[i]!)) continue;
    // Machines with the same left are the same choice: trying one is enough.
    if (!fitting.some((j) => sameAmounts(nodes[i]!, nodes[j]!))) fitting.push(i);
  }
  return fitting.sort(byTightness(nodes));
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
        packed.push({ tag: pods[at]!.tag, node: nodes[index]!.name, at: index });
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
  if (pods === 1) {
    const tightest = tightestOf(need, nodes);
    return tightest < 0 ? [] : [tightest];
  }
  const fitting: number[] = [];
  for (let i = 0; i < nodes.length; i += 1) if (fits(need, nodes[i]!)) fitting.push(i);
  return fitting.sort(byTightness(nodes));
};

const packLone = <Tag>({ tag, needs }: Pod<Tag>, nodes: readonly NodeFree[]): Packed<Tag>[] | null => {
  const at = tightestOf(needs, nodes);
  return at < 0 ? null : [{ tag, node: nodes[at]!.name, at }];
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
  return pods.map(({ tag }, pod) => ({ tag, node: nodes[chosen[pod]!]!.name, at: chosen[pod]! }));
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
  if (pods.length === 1) return packLone(pods[0]!, nodes); // the first path is the only one
  if (!fits(sum(pods.map((pod) => pod.needs)), sum(nodes))) return null;
  const ordered = [...pods].sort(bySize);
  const greedy = packGreedily(ordered, nodes);
  if (greedy || nodes.length > MAX_SEARCHED || pods.length > MAX_SEARCHED) return greedy;
  return packBySearch(ordered, nodes);
};
