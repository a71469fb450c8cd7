import {
  Cluster,
  gpuDemand,
  type NodeSpec,
  type Pieces,
  priceGpuPacking,
  type ShapeId,
  type ShapeTable,
  WHOLE_GPU,
} from '@gridbourse/matchmaker/placement';

/**
 * Per cent of all GPUs that no policy could exceed with what has arrived when the load passes 100 %: the dual bound of the
 * packing program (`priceGpuPacking`) with the models that requests name. A request for n GPUs counts as n separate whole
 * ones, and CPU, memory and the borders of machines are left out: each only widens the bound, so it stays one.
 */
export const boundAt100 = (
  nodes: readonly NodeSpec[],
  shapes: ShapeTable,
  arrivals: readonly ShapeId[],
): number => {
  const cluster = new Cluster(nodes);
  const pieces = new Map<string, { size: number; count: number; allowed: Uint8Array }>();
  let asked = 0;
  for (const id of arrivals) {
    if (asked >= cluster.gpuCapacity) break;
    const shape = shapes.at(id);
    asked += gpuDemand(shape);
    if (shape.gpus === 0) continue;
    const allowed = cluster.allowed(shape);
    const key = `${shape.gpuThousandths}/${allowed.join('')}`;
    const piece = pieces.get(key);
    if (piece) piece.count += shape.gpus;
    else pieces.set(key, { size: shape.gpuThousandths, count: shape.gpus, allowed });
  }
  const gpusOfModel = [...cluster.freeOfModel].map((thousandths) => thousandths / WHOLE_GPU);
  const { bound } = priceGpuPacking([...pieces.values()] satisfies Pieces[], gpusOfModel);
  return (100 * Math.min(bound, cluster.gpuCapacity, asked)) / cluster.gpuCapacity;
};
