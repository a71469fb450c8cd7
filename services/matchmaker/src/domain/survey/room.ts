import { type Amounts, fits } from '../amounts.ts';
import type { NodeFree } from '../capacity-book.ts';
import { pack } from '../packing.ts';
import type { GroupNeed } from '../requirements.ts';

/** The most of each dimension that one replica of a group asks for. */
export const largestOf = ({ pods }: GroupNeed): Amounts => ({
  gpus: Math.max(...pods.map(({ needs }) => needs.gpus)),
  cpuMillis: Math.max(...pods.map(({ needs }) => needs.cpuMillis)),
  memoryMiB: Math.max(...pods.map(({ needs }) => needs.memoryMiB)),
  storageMiB: Math.max(...pods.map(({ needs }) => needs.storageMiB)),
});

/**
 * Whether `pack` finds a place for the group, mostly without packing: not where the sum or some replica is too large
 * for what is there; surely where one machine holds all of it, for then that machine has room for whatever packing has
 * not put elsewhere.
 */
export const hasRoom = (
  { pods, total }: GroupNeed,
  largest: Amounts,
  nodes: readonly NodeFree[],
): boolean => {
  let [gpus, cpuMillis, memoryMiB, storageMiB] = [0, 0, 0, 0];
  let [mostGpus, mostCpu, mostMemory, mostStorage] = [0, 0, 0, 0];
  for (const node of nodes) {
    if (fits(total, node)) return true;
    gpus += node.gpus;
    cpuMillis += node.cpuMillis;
    memoryMiB += node.memoryMiB;
    storageMiB += node.storageMiB;
    if (node.gpus > mostGpus) mostGpus = node.gpus;
    if (node.cpuMillis > mostCpu) mostCpu = node.cpuMillis;
    if (node.memoryMiB > mostMemory) mostMemory = node.memoryMiB;
    if (node.storageMiB > mostStorage) mostStorage = node.storageMiB;
  }
  if (pods.length <= 1) return false;
  const most = { gpus: mostGpus, cpuMillis: mostCpu, memoryMiB: mostMemory, storageMiB: mostStorage };
  if (!fits(total, { gpus, cpuMillis, memoryMiB, storageMiB }) || !fits(largest, most)) return false;
  return pack(pods, nodes) !== null;
};
