import {
  type Cluster,
  gpuDemand,
  PlacementEngine,
  type PlacementPolicy,
  type ShapeId,
  type ShapeTable,
} from '@gridbourse/matchmaker/placement';

export type Run = {
  /** Per cent of all GPUs in use when the load that has arrived passes 100 % of them, and at the end (130 %). */
  readonly at100: number;
  readonly at130: number;
  readonly requests: number;
  readonly ms: number;
  /** Of this process, so that what else the machine does is not in it. */
  readonly cpuMs: number;
};

export const simulate = (
  cluster: Cluster,
  shapes: ShapeTable,
  policy: PlacementPolicy,
  arrivals: readonly ShapeId[],
): Run => {
  const engine = new PlacementEngine(cluster, shapes, policy);
  const share = (): number => (100 * (cluster.gpuCapacity - cluster.gpuFreeTotal)) / cluster.gpuCapacity;
  let asked = 0;
  let at100: number | null = null;
  const startMs = performance.now();
  const startCpu = process.cpuUsage();
  for (const id of arrivals) {
    engine.place(id);
    asked += gpuDemand(shapes.at(id));
    if (at100 === null && asked >= cluster.gpuCapacity) at100 = share();
  }
  const { user, system } = process.cpuUsage(startCpu);
  return {
    at100: at100 ?? share(),
    at130: share(),
    requests: arrivals.length,
    ms: performance.now() - startMs,
    cpuMs: (user + system) / 1_000,
  };
};
