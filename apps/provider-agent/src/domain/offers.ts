import { findGpu, sharingText, unitName, type UnitSharing } from '@gridbourse/catalog';
import type { PriceRule } from '../config.ts';
import type { Machine } from './machine.ts';

/** The body of POST /v1/providers/:id/offers. */
export type OfferRequest = {
  label: string;
  /** `nodes[].gpus` counts, and `perGpu` is the price of, what `sharing` says. */
  gpu: { model: string; vramMiB: number; interface: 'pcie' | 'sxm'; sharing: UnitSharing } | null;
  nodes: { name: string; gpus: number; cpuMillis: number; memoryMiB: number; storageMiB: number }[];
  price: PriceRule['price'];
  policy: PriceRule['policy'];
  storageClasses: string[];
  interconnect: PriceRule['interconnect'];
};

/** A rule that says nothing is for whole GPUs alone: its price must never become that of a slice, nor the other way. */
const takesSharing = ({ match }: PriceRule, { gpu }: Machine): boolean => {
  const sharing = gpu?.sharing;
  if (!sharing) return true;
  const wanted = match.sharing ?? 'whole';
  return wanted === sharing.mode || wanted === sharingText(sharing);
};

const takes = ({ match }: PriceRule, machine: Machine): boolean => {
  if (match.nodes && !match.nodes.includes(machine.name)) return false;
  if (match.gpu === null && machine.gpu !== null) return false;
  if (typeof match.gpu === 'string' && findGpu(match.gpu)?.id !== machine.gpu?.model?.id) return false;
  return Object.entries(match.labels ?? {}).every(([key, value]) => machine.labels[key] === value);
};

const whyNoRule = ({ gpu }: Machine): string =>
  gpu?.sharing && gpu.sharing.mode !== 'whole'
    ? `no price rule matches it: its GPUs are sold as ${unitName(gpu.sharing)}, which a rule must name in match.sharing`
    : 'no price rule matches it';

const gpuFor = (machine: Machine, rule: PriceRule): OfferRequest['gpu'] | undefined => {
  const { gpu } = machine;
  if (gpu === null) return null;
  if (gpu.sharing === null) return undefined;
  const bus = rule.gpuInterface ?? gpu.interface;
  if (gpu.model === null || bus === null || gpu.vramMiB === 0 || gpu.capacity === 0) return undefined;
  return { model: gpu.model.id, vramMiB: gpu.vramMiB, interface: bus, sharing: gpu.sharing };
};

const MAX_LABEL = 60;

/**
 * The platform knows a provider's offers apart by label, model and unit alone. So where one rule takes two sizes of a
 * model, say A100s of 40 and of 80 GB, the label says which, or the second offer would replace the first.
 */
const labelledApart = (offers: readonly OfferRequest[]): OfferRequest[] => {
  const taken = new Set<string>();
  return offers.map((offer) => {
    const { gpu, label } = offer;
    const key = (text: string): string => JSON.stringify([text, gpu?.model, gpu && sharingText(gpu.sharing)]);
    const size = gpu ? `-${Math.round(gpu.vramMiB / 1_024)}g-${gpu.interface}` : '';
    const own = taken.has(key(label)) ? `${label.slice(0, MAX_LABEL - size.length)}${size}` : label;
    taken.add(key(own));
    return own === label ? offer : { ...offer, label: own };
  });
};

export type OfferPlan = {
  readonly offers: readonly OfferRequest[];
  /** Machines that are not offered, and why. */
  readonly leftOut: readonly { name: string; why: string }[];
};

/**
 * What the machines are offered for: one offer a rule and kind of GPU, with exactly the machines that the cluster has.
 * A machine without a rule, whose GPU the catalogue does not know, or whose GPUs are handed out in several ways (its cores
 * and memory cannot be in two offers at once), is not offered.
 */
export const planOffers = (machines: readonly Machine[], rules: readonly PriceRule[]): OfferPlan => {
  const groups = new Map<string, OfferRequest>();
  const leftOut: { name: string; why: string }[] = [];
  for (const machine of machines) {
    if (machine.gpu?.unsaleable != null) {
      leftOut.push({ name: machine.name, why: machine.gpu.unsaleable });
      continue;
    }
    const rule = rules.find((each) => takes(each, machine) && takesSharing(each, machine));
    if (!rule) {
      leftOut.push({ name: machine.name, why: whyNoRule(machine) });
      continue;
    }
    const gpu = gpuFor(machine, rule);
    if (gpu === undefined) {
      leftOut.push({ name: machine.name, why: `its GPU "${machine.gpu?.product}" is not known well enough` });
      continue;
    }
    const kind = gpu && [gpu.model, gpu.vramMiB, gpu.interface, sharingText(gpu.sharing)].join('/');
    const key = `${rule.label}/${kind ?? 'cpu'}`;
    const offer = groups.get(key) ?? { ...partsOf(rule), gpu, nodes: [] };
    offer.nodes.push({
      name: machine.name,
      gpus: gpu ? (machine.gpu?.capacity ?? 0) : 0,
      cpuMillis: machine.cpuMillis,
      memoryMiB: machine.memoryMiB,
      storageMiB: machine.storageMiB,
    });
    groups.set(key, offer);
  }
  return { offers: labelledApart([...groups.values()]), leftOut };
};

const partsOf = ({ label, price, policy, storageClasses, interconnect }: PriceRule) => ({
  label,
  price,
  policy,
  storageClasses,
  interconnect,
});
