import { nextInt, type Random } from '@gridbourse/kernel';
import { type NodeFree, pack } from '@gridbourse/matchmaker/matching';
import {
  type Choice,
  type Cluster,
  gpuDemand,
  type NodeSpec,
  type PlacementPolicy,
  type RequestShape,
  type ShapeTable,
  WHOLE_GPU,
} from '@gridbourse/matchmaker/placement';

/**
 * The same requests as the market sells to them: whole GPUs of one model, which is one offer. Who names no model, or
 * several, takes one of them by chance, as often as there are GPUs of it.
 */
export const asSold = (
  pods: readonly RequestShape[],
  nodes: readonly NodeSpec[],
  random: Random,
): RequestShape[] => {
  const gpusOf = new Map<string, number>();
  for (const { model, gpus } of nodes) gpusOf.set(model, (gpusOf.get(model) ?? 0) + gpus);
  const oneOf = (wanted: readonly string[]): string | undefined => {
    let at = nextInt(
      random,
      Math.max(
        1,
        wanted.reduce((sum, model) => sum + gpusOf.get(model)!, 0),
      ),
    );
    return wanted.find((model) => (at -= gpusOf.get(model)!) < 0);
  };
  return pods.flatMap((pod) => {
    const model = oneOf([...gpusOf.keys()].filter((one) => pod.models?.includes(one) ?? true));
    if (pod.gpus === 0 || model === undefined) return [];
    return [{ ...pod, gpuThousandths: WHOLE_GPU, models: [model] }];
  });
};

/** What the matchmaker does inside an offer: `pack`, over the machines of the model that was asked for. */
export const marketPacking = (cluster: Cluster, shapes: ShapeTable): PlacementPolicy => {
  const machinesOf = cluster.models.map((_, model) =>
    Array.from({ length: cluster.size }, (_, node) => node).filter((node) => cluster.modelOf[node] === model),
  );
  const free = (node: number): NodeFree => ({
    name: `${node}`,
    gpus: cluster.wholeFree[node]!,
    cpuMillis: cluster.cpuFree[node]!,
    memoryMiB: cluster.memoryFree[node]!,
    storageMiB: 0,
  });
  return {
    arrived: () => undefined,
    choose: (id): Choice | null => {
      const shape = shapes.at(id);
      const { cpuMillis, memoryMiB } = shape;
      const needs = { gpus: gpuDemand(shape) / WHOLE_GPU, cpuMillis, memoryMiB, storageMiB: 0 };
      const model = cluster.allowed(shape).indexOf(1);
      const packed = pack([{ tag: null, needs }], machinesOf[model]!.map(free));
      if (!packed) return null;
      const node = Number(packed[0]!.node);
      return { node, gpu: cluster.tightestGpu(node, WHOLE_GPU) };
    },
  };
};
