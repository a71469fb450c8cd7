import { nextInt, type Random } from '@gridbourse/kernel';
import {
  type Cluster,
  type PlacementPolicy,
  type ShapeTable,
  WHOLE_GPU,
} from '@gridbourse/matchmaker/placement';

/** Any machine with room, and for a share any of its GPUs with room. */
export const randomFit = (cluster: Cluster, shapes: ShapeTable, random: Random): PlacementPolicy => ({
  arrived: () => undefined,
  choose: (id) => {
    const shape = shapes.at(id);
    const nodes: number[] = [];
    for (let node = 0; node < cluster.size; node += 1) if (cluster.fits(node, shape)) nodes.push(node);
    if (nodes.length === 0) return null;
    const node = nodes[nextInt(random, nodes.length)]!;
    if (shape.gpus !== 1 || shape.gpuThousandths === WHOLE_GPU) return { node, gpu: -1 };
    const gpus: number[] = [];
    for (let gpu = 0; gpu < cluster.gpuCount[node]!; gpu += 1) {
      if (cluster.gpuFree[node * cluster.stride + gpu]! >= shape.gpuThousandths) gpus.push(gpu);
    }
    return { node, gpu: gpus[nextInt(random, gpus.length)]! };
  },
});
