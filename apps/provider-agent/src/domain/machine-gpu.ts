import {
  findMigProfile,
  findVariant,
  type GpuModel,
  type GpuName,
  type GpuVariant,
  nominalVramMiB,
  readGpuName,
  readMigProfile,
  SLOTS_PER_GPU,
  type UnitSharing,
} from '@gridbourse/catalog';
import { readQuantity } from './quantity.ts';

export type MachineGpu = {
  /** As the label has it. */
  readonly product: string;
  readonly model: GpuModel | null;
  /** Of one whole GPU. Nominal where the catalogue knows the model, else as reported. */
  readonly vramMiB: number;
  readonly interface: 'pcie' | 'sxm' | null;
  /** What the two counts count; null where `unsaleable` says why nothing of these GPUs can be sold. */
  readonly sharing: UnitSharing | null;
  readonly unsaleable: string | null;
  readonly capacity: number;
  readonly allocatable: number;
};

type Labels = Readonly<Record<string, string>>;
type Quantities = Readonly<Record<string, string | number>>;
export type NodeResources = { readonly capacity: Quantities; readonly allocatable: Quantities };

/** GPU Feature Discovery's labels for NVIDIA, the AMD device plugin's labeller for AMD. */
const VENDORS = [
  { vendor: 'nvidia', product: 'nvidia.com/gpu.product', memory: 'nvidia.com/gpu.memory' },
  { vendor: 'amd', product: 'amd.com/gpu.product-name', memory: 'amd.com/gpu.vram' },
] as const;
/** `nvidia.com/gpu`, `nvidia.com/gpu.shared`, `nvidia.com/mig-1g.10gb`, and a slice that is itself shared by time. */
const GPU_RESOURCE = /^(nvidia|amd)\.com\/(?:gpu|mig-([a-z0-9.]+?))(\.shared)?$/;

/** One resource of the machine that the vendor's device plugin counts GPUs, or parts of them, by. */
type Counted = { readonly name: string; readonly mig: string | null; readonly shared: boolean };

const countedResources = ({ capacity }: NodeResources, vendor: string): Counted[] =>
  Object.keys(capacity).flatMap((name) => {
    const match = GPU_RESOURCE.exec(name);
    if (!match || match[1] !== vendor || readQuantity(capacity[name]) === 0) return [];
    return [{ name, mig: match[2] ?? null, shared: match[3] !== undefined }];
  });

/** GPU Feature Discovery counts MiB (`81559`), AMD's labeller writes `192G`. */
const readVramMiB = (text: string | undefined): number => {
  const match = /^(\d+)(G?)$/.exec(text ?? '');
  return match ? Number(match[1]) * (match[2] === 'G' ? 1_024 : 1) : 0;
};

/** The sold variant that the name and the reported memory mean. Of a divided GPU the memory label is the slice's. */
const variantOf = (name: GpuName, reportedMiB: number, profile: string | null): GpuVariant | null => {
  if (profile === null) {
    const vramMiB = reportedMiB > 0 ? nominalVramMiB(name.model, reportedMiB) : name.vramMiB;
    return findVariant(name.model, { vramMiB, interface: name.interface });
  }
  const { variants, id } = name.model;
  return (
    variants.find(
      ({ vramMiB, interface: bus }) =>
        findMigProfile({ model: id, vramMiB }, profile) !== null &&
        (name.vramMiB === null || name.vramMiB === vramMiB) &&
        (name.interface === null || name.interface === bus),
    ) ?? null
  );
};

type Sold = Pick<MachineGpu, 'sharing' | 'unsaleable'>;
const asIs = (sharing: UnitSharing): Sold => ({ sharing, unsaleable: null });
const unsaleable = (why: string): Sold => ({ sharing: null, unsaleable: why });

const soldAsSlices = (profile: string | null, counted: Counted, labels: Labels, slots: number): Sold => {
  if (profile === null) return unsaleable(`its GPUs are divided by an unknown profile, ${counted.name}`);
  const replicas = Number(labels[`nvidia.com/mig-${counted.mig}.replicas`] ?? 1);
  if (counted.shared || slots > 1 || replicas > 1) {
    return unsaleable(`its MIG slices ${profile} are shared by time as well`);
  }
  return asIs({ mode: 'mig', profile });
};

const soldBySlots = (labels: Labels, slots: number): Sold => {
  const strategy = labels['nvidia.com/gpu.sharing-strategy'];
  if (strategy === 'mps') return unsaleable('its GPUs are shared by MPS, which is not sold');
  if (!Number.isInteger(slots) || slots < SLOTS_PER_GPU.min || slots > SLOTS_PER_GPU.max) {
    return unsaleable(`its GPUs are shared by time, and nvidia.com/gpu.replicas does not say among how many`);
  }
  return asIs({ mode: 'shared', slotsPerGpu: slots });
};

/**
 * In which one way the GPUs are sold. Every sign of division counts, whatever else the machine says: a slice or a slot
 * must never be offered as a whole GPU.
 */
const soldAs = (
  counted: readonly Counted[],
  labels: Labels,
  product: string | undefined,
  name: GpuName | null,
): Sold & { readonly profile: string | null } => {
  const [first] = counted;
  if (counted.length > 1) {
    const names = counted.map((each) => each.name).sort();
    return {
      ...unsaleable(`its GPUs are sold in several ways at once: ${names.join(', ')}`),
      profile: null,
    };
  }
  const byLabel = name?.sharing.kind === 'mig' ? name.sharing.profile : null;
  const slots = Number(labels['nvidia.com/gpu.replicas'] ?? 1);
  const profile = first?.mig != null ? readMigProfile(first.mig) : byLabel;
  if (first?.mig != null || byLabel !== null) {
    return {
      ...soldAsSlices(profile, first ?? { name: '', mig: byLabel, shared: false }, labels, slots),
      profile,
    };
  }
  const slotted =
    /[-.]shared$/i.test(product ?? '') || first?.shared === true || (slots !== 0 && slots !== 1);
  const mps = labels['nvidia.com/gpu.sharing-strategy'] === 'mps';
  return { ...(slotted || mps ? soldBySlots(labels, slots) : asIs({ mode: 'whole' })), profile: null };
};

/** The GPUs of a machine and the one way in which its cluster hands them out; null for a machine without any. */
export const gpuOf = (labels: Labels, status: NodeResources): MachineGpu | null => {
  for (const { vendor, ...names } of VENDORS) {
    const counted = countedResources(status, vendor);
    const product = labels[names.product];
    if (counted.length === 0 && product === undefined) continue;
    const name = product === undefined ? null : readGpuName(product);
    const { profile, ...sold } = soldAs(counted, labels, product, name);
    const reportedMiB = readVramMiB(labels[names.memory]);
    const variant = name && variantOf(name, reportedMiB, profile);
    const whole = profile === null ? reportedMiB : 0;
    const [first] = counted;
    return {
      product: product ?? '',
      model: name?.model ?? null,
      vramMiB: variant?.vramMiB ?? name?.vramMiB ?? whole,
      interface: name?.interface ?? variant?.interface ?? null,
      ...(profile !== null && sold.unsaleable === null && name !== null && variant === null
        ? unsaleable(`no ${name.model.name} that is known can be divided into ${profile}`)
        : sold),
      capacity: first ? readQuantity(status.capacity[first.name]) : 0,
      allocatable: first ? readQuantity(status.allocatable[first.name]) : 0,
    };
  }
  return null;
};
