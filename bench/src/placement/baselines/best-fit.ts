import {
  type Cluster,
  gpuDemand,
  type PlacementPolicy,
  type ShapeTable,
} from '@gridbourse/matchmaker/placement';
import { scanPolicy } from './scan.ts';

/** What the largest machine of the trace has: CPU millis and GPU thousandths left are compared as shares of these. */
const LARGEST = { cpuMillis: 128_000, gpuThousandths: 8_000 };

/** 1 when the machine would be full, 0 when it would be the largest, empty: half CPU, half GPU. */
export const tightness = (
  cluster: Cluster,
  node: number,
  cpuMillis: number,
  gpuThousandths: number,
): number => {
  let free = 0;
  for (let i = node * cluster.stride; i < (node + 1) * cluster.stride; i += 1) free += cluster.gpuFree[i]!;
  const cpu = (cluster.cpuFree[node]! - cpuMillis) / LARGEST.cpuMillis;
  const gpu = (free - gpuThousandths) / LARGEST.gpuThousandths;
  return 1 - (cpu + gpu) / 2;
};

/** The published BestFit: least left of CPU and GPU together, in whole per cent; a share goes to the tightest GPU. */
export const bestFit = (cluster: Cluster, shapes: ShapeTable): PlacementPolicy =>
  scanPolicy(
    cluster,
    shapes,
    (node, id) => {
      const shape = shapes.at(id);
      return {
        score: Math.floor(100 * tightness(cluster, node, shape.cpuMillis, gpuDemand(shape)) + 1e-9),
        tie: 0,
        gpu: cluster.tightestGpu(node, shape.gpuThousandths),
      };
    },
    null,
  );
