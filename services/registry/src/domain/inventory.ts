import { type Fault, type Instant, invalid } from '@gridbourse/kernel';

/** One machine as the agent reports it. */
export type NodeReport = {
  readonly name: string;
  readonly gpuModel: string;
  /** What the counts below count: `whole`, `mig:1g.10gb`, `shared:4`; empty from agents of before. */
  readonly gpuSharing: string;
  readonly gpuCapacity: number;
  readonly gpuAllocatable: number;
  readonly vramMiB: number;
  readonly cpuMillisAllocatable: number;
  readonly memoryMiBAllocatable: number;
  readonly storageMiBAllocatable: number;
  readonly ready: boolean;
};

/** What is left of a machine as its cluster reports it; null is not known and takes nothing away. */
export type NodeCapacity = {
  /** A catalogue id. */
  readonly gpuModel: string | null;
  /** As `sharingText` of the catalogue writes it; any other text is a way in which nothing is sold. */
  readonly gpuSharing: string | null;
  readonly gpus: number | null;
  readonly cpuMillis: number | null;
  readonly memoryMiB: number | null;
  readonly storageMiB: number | null;
};
export type Capacities = ReadonlyMap<string, NodeCapacity>;

/** What has been learnt of the machines of a provider since its agent connected. */
export type Inventory = {
  readonly capacities: Capacities;
  /** Since when each machine is ready, milliseconds since the epoch. */
  readonly readySinceMs: ReadonlyMap<string, Instant>;
  /** Some machine shows no GPUs and is too young for that to mean anything: look again though nothing changes. */
  readonly settling: boolean;
};

export const EMPTY_INVENTORY: Inventory = { capacities: new Map(), readySinceMs: new Map(), settling: false };

const MAX_NODES = 10_000;
/** Far above any machine there is, far below a wrapped integer. */
const LIMITS = {
  gpuCapacity: 1_024,
  vramMiB: 1_048_576,
  cpuMillisAllocatable: 10_000_000,
  memoryMiBAllocatable: 134_217_728,
  storageMiBAllocatable: 2_147_483_648,
} as const;

const faultsOfNode = (node: NodeReport, index: number): Fault[] => {
  const faults: Fault[] = [];
  const fault = (field: string, message: string): void => {
    faults.push({ pointer: `/nodes/${index}/${field}`, message });
  };
  if (node.name.length === 0 || node.name.length > 253) fault('name', 'expected 1 to 253 characters');
  if (node.gpuSharing.length > MAX_SHARING_LENGTH)
    fault('gpuSharing', `at most ${MAX_SHARING_LENGTH} characters`);
  if (node.gpuAllocatable > node.gpuCapacity) fault('gpuAllocatable', 'more GPUs allocatable than there are');
  for (const [field, most] of Object.entries(LIMITS) as [keyof typeof LIMITS, number][]) {
    const value = node[field];
    if (!Number.isSafeInteger(value) || value < 0 || value > most) fault(field, `expected 0 to ${most}`);
  }
  if (!Number.isSafeInteger(node.gpuAllocatable) || node.gpuAllocatable < 0)
    fault('gpuAllocatable', 'expected 0 or more');
  return faults;
};

/**
 * Refuses what no cluster can be: more allocatable than capacity, negative or wrapped numbers, two machines of one name.
 * @throws DomainError `impossible_inventory` with every fault
 */
export const checkInventory = (nodes: readonly NodeReport[]): void => {
  if (nodes.length > MAX_NODES) {
    throw invalid('impossible_inventory', `at most ${MAX_NODES} machines fit a heartbeat`);
  }
  const faults = nodes.flatMap(faultsOfNode);
  const names = new Set<string>();
  nodes.forEach(({ name }, index) => {
    if (names.has(name)) faults.push({ pointer: `/nodes/${index}/name`, message: 'named twice' });
    names.add(name);
  });
  if (faults.length === 0) return;
  const [first] = faults;
  throw invalid(
    'impossible_inventory',
    `the inventory cannot be true: ${first!.pointer}: ${first!.message}`,
    faults,
  );
};

const NOTHING_LEFT: NodeCapacity = {
  gpuModel: null,
  gpuSharing: null,
  gpus: 0,
  cpuMillis: 0,
  memoryMiB: 0,
  storageMiB: 0,
};
const MAX_SHARING_LENGTH = 60;
/** A ready machine with no CPU, memory or disk at all does not exist: zero there means that the agent cannot tell. */
const positive = (value: number): number | null => (value > 0 ? value : null);

export type InventoryOptions = {
  readonly atMs: Instant;
  readonly connectedAtMs: Instant;
  /** For so long after the agent connected or the machine came up, zero GPUs are "not known yet". */
  readonly gpuSettleMs: number;
  /** Catalogue id of a model as labels write it, null when the catalogue does not know it. */
  readonly modelOf: (label: string) => string | null;
  /** How the GPUs of a machine are sold by the name of its GPUs alone. */
  readonly sharingOf: (label: string) => string;
};

/**
 * The inventory after one more report. A machine that is reported not ready, or no longer reported while others are,
 * has nothing left. An empty report says nothing about any machine.
 */
export const nextInventory = (
  known: Inventory,
  nodes: readonly NodeReport[],
  options: InventoryOptions,
): Inventory => {
  if (nodes.length === 0) return known;
  const { atMs, connectedAtMs, gpuSettleMs, modelOf, sharingOf } = options;
  const capacities = new Map<string, NodeCapacity>();
  const readySinceMs = new Map<string, Instant>();
  let settling = false;
  for (const name of known.capacities.keys()) capacities.set(name, NOTHING_LEFT);
  for (const node of nodes) {
    if (!node.ready) {
      capacities.set(node.name, NOTHING_LEFT);
      continue;
    }
    const since = known.readySinceMs.get(node.name) ?? atMs;
    readySinceMs.set(node.name, since);
    const tooYoung = node.gpuAllocatable === 0 && atMs < Math.max(since, connectedAtMs) + gpuSettleMs;
    settling ||= tooYoung;
    capacities.set(node.name, {
      gpuModel: modelOf(node.gpuModel),
      // Before the machine says what GPUs it has, it cannot say how they are sold.
      gpuSharing: node.gpuModel === '' ? null : node.gpuSharing || sharingOf(node.gpuModel),
      gpus: tooYoung ? null : node.gpuAllocatable,
      cpuMillis: positive(node.cpuMillisAllocatable),
      memoryMiB: positive(node.memoryMiBAllocatable),
      storageMiB: positive(node.storageMiBAllocatable),
    });
  }
  return { capacities, readySinceMs, settling };
};
