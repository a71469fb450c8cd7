import { nextInt, type Random } from '@gridbourse/kernel';
import { gpuDemand, type ShapeId, type ShapeTable } from '@gridbourse/matchmaker/placement';

/** Demand that arrives, against the GPUs that there are. */
export const LOAD = 1.3;

/**
 * The list in random order, then as many random requests of it, until they ask for 1.3 times the capacity. A list that asks
 * for more is cut off there.
 *
 * @param capacity thousandths of GPU
 */
export const arrivalsOf = (
  pods: readonly ShapeId[],
  shapes: ShapeTable,
  capacity: number,
  random: Random,
): ShapeId[] => {
  const shuffled = [...pods];
  for (let i = shuffled.length - 1; i > 0; i -= 1) {
    const j = nextInt(random, i + 1);
    [shuffled[i], shuffled[j]] = [shuffled[j]!, shuffled[i]!];
  }
  const arrivals: ShapeId[] = [];
  for (let asked = 0; asked < capacity * LOAD;) {
    const id = shuffled[arrivals.length] ?? pods[nextInt(random, pods.length)]!;
    arrivals.push(id);
    asked += gpuDemand(shapes.at(id));
  }
  return arrivals;
};
