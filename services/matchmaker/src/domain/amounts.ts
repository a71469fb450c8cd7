/** What a pod takes of a machine, or what a machine has. Whole numbers, never negative. */
export type Amounts = {
  readonly gpus: number;
  readonly cpuMillis: number;
  readonly memoryMiB: number;
  readonly storageMiB: number;
};

export const DIMENSIONS = ['gpus', 'cpuMillis', 'memoryMiB', 'storageMiB'] as const;
export type Dimension = (typeof DIMENSIONS)[number];

export const NOTHING: Amounts = { gpus: 0, cpuMillis: 0, memoryMiB: 0, storageMiB: 0 };

export const plus = (a: Amounts, b: Amounts): Amounts => ({
  gpus: a.gpus + b.gpus,
  cpuMillis: a.cpuMillis + b.cpuMillis,
  memoryMiB: a.memoryMiB + b.memoryMiB,
  storageMiB: a.storageMiB + b.storageMiB,
});

/** a - b, each dimension not below zero: what is left of a machine that may have shrunk under its leases. */
export const leftOf = (a: Amounts, b: Amounts): Amounts => ({
  gpus: Math.max(0, a.gpus - b.gpus),
  cpuMillis: Math.max(0, a.cpuMillis - b.cpuMillis),
  memoryMiB: Math.max(0, a.memoryMiB - b.memoryMiB),
  storageMiB: Math.max(0, a.storageMiB - b.storageMiB),
});

export const fits = (need: Amounts, free: Amounts): boolean =>
  need.gpus <= free.gpus &&
  need.cpuMillis <= free.cpuMillis &&
  need.memoryMiB <= free.memoryMiB &&
  need.storageMiB <= free.storageMiB;

export const sum = (all: Iterable<Amounts>): Amounts => {
  let gpus = 0;
  let cpuMillis = 0;
  let memoryMiB = 0;
  let storageMiB = 0;
  for (const one of all) {
    gpus += one.gpus;
    cpuMillis += one.cpuMillis;
    memoryMiB += one.memoryMiB;
    storageMiB += one.storageMiB;
  }
  return { gpus, cpuMillis, memoryMiB, storageMiB };
};
