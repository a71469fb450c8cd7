import type { Random } from '@gridbourse/kernel';
import {
  type Cluster,
  gpuDemand,
  type PlacementPolicy,
  type ShapeTable,
  type Wanted,
} from '@gridbourse/matchmaker/placement';
import { tightness } from './best-fit.ts';
import { fragmentation, type Left, leftOf, placementsOn, typicalOf } from './fragmentation.ts';
import { scanPolicy, type Scored } from './scan.ts';

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** Scores kept per machine state, because the state before is asked for with every shape. */
const remembered = (measure: (left: Left) => number): ((cluster: Cluster, node: number) => number) => {
  const known = new Map<number, { version: number; value: number }>();
  return (cluster, node) => {
    const version = cluster.version[node]!;
    const last = known.get(node);
    if (last?.version === version) return last.value;
    const value = measure(leftOf(cluster, node));
    known.set(node, { version, value });
    return value;
  };
};

/**
 * FGD as published: where fragmentation grows least, in steps of 100 x sigmoid((before - after) / 1000). The published
 * program cuts the decimals off; rounding instead moves results by up to 1.7 points (docs/placement.md).
 * @param ties `name`: the last machine by name, as published; `bestFit`: the tighter one, then by lot
 */
export const fgd = (
  cluster: Cluster,
  shapes: ShapeTable,
  mix: readonly Wanted[],
  ties: 'name' | 'bestFit',
  random: Random,
): PlacementPolicy => {
  const typical = typicalOf(mix, false);
  const measure = (left: Left): number => fragmentation(left, typical);
  const before = remembered(measure);
  return scanPolicy(
    cluster,
    shapes,
    (node, id) => {
      const shape = shapes.at(id);
      const was = before(cluster, node);
      let best: Scored | null = null;
      for (const { gpu, after } of placementsOn(leftOf(cluster, node), shape)) {
        const score = Math.trunc(100 * sigmoid((was - measure(after)) / 1_000));
        if (best === null || score > best.score) best = { score, tie: 0, gpu };
      }
      if (ties === 'name') return best!;
      return { ...best!, tie: tightness(cluster, node, shape.cpuMillis, gpuDemand(shape)) };
    },
    ties === 'name' ? null : () => random.next(),
  );
};

/**
 * The trial: fragmentation without rounding, memory checked too, plus the GPU that has not the average CPU of demand
 * beside it; placed where the sum grows least, all ties by lot.
 */
export const fgdWithStranding = (
  cluster: Cluster,
  shapes: ShapeTable,
  mix: readonly Wanted[],
  random: Random,
): PlacementPolicy => {
  const typical = typicalOf(mix, true);
  const gpu = mix.reduce((sum, { shape, weight }) => sum + weight * gpuDemand(shape), 0);
  const cpu = mix.reduce((sum, { shape, weight }) => sum + weight * shape.cpuMillis, 0);
  const measure = (left: Left): number => {
    const free = left.gpus.reduce((sum, one) => sum + one, 0);
    return fragmentation(left, typical) + Math.max(0, free - left.cpuMillis * (gpu / cpu));
  };
  const before = remembered(measure);
  return scanPolicy(
    cluster,
    shapes,
    (node, id) => {
      const was = before(cluster, node);
      let best: Scored | null = null;
      for (const { gpu: at, after } of placementsOn(leftOf(cluster, node), shapes.at(id))) {
        // A millionth of a thousandth is rounding, not a difference.
        const score = Math.round((was - measure(after)) * 1e6);
        if (best === null || score > best.score) best = { score, tie: 0, gpu: at };
      }
      return best!;
    },
    () => random.next(),
  );
};
