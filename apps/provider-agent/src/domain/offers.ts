import { findGpu } from '@gridbourse/catalog';
import type { PriceRule } from '../config.ts';
import type { Machine } from './machine.ts';

/** The body of POST /v1/providers/:id/offers. */
export type OfferRequest = {
  label: string;
  gpu: { model: string; vramMiB: number; interface: 'pcie' | 'sxm' } | null;
  nodes: { name: string; gpus: number; cpuMillis: number; memoryMiB: number; storageMiB: number }[];
  price: PriceRule['price'];
  policy: PriceRule['policy'];
  storageClasses: string[];
};

const takes = ({ match }: PriceRule, machine: Machine): boolean => {
  if (match.nodes && !match.nodes.includes(machine.name)) return false;
  if (match.gpu === null && machine.gpu !== null) return false;
  if (typeof match.gpu === 'string' && findGpu(match.gpu)?.id !== machine.gpu?.model?.id) return false;
  return Object.entries(match.labels ?? {}).every(([key, value]) => machine.labels[key] === value);
};

const gpuFor = (machine: Machine, rule: PriceRule): OfferRequest['gpu'] | undefined => {
  const { gpu } = machine;
  if (gpu === null) return null;
  const bus = rule.gpuInterface ?? gpu.interface;
  if (gpu.model === null || bus === null || gpu.vramMiB === 0 || gpu.capacity === 0) return undefined;
  return { model: gpu.model.id, vramMiB: gpu.vramMiB, interface: bus };
};

export type OfferPlan = {
  readonly offers: readonly OfferRequest[];
  /** Machines that are not offered, and why. */
  readonly leftOut: readonly { name: string; why: string }[];
};

/**
 * What the machines are offered for: one offer a rule and kind of GPU, with exactly the machines that the cluster has.
 * A machine without a rule, or whose GPU the catalogue does not know, is not offered.
 */
export const planOffers = (machines: readonly Machine[], rules: readonly PriceRule[]): OfferPlan => {
  const groups = new Map<string, OfferRequest>();
  const leftOut: { name: string; why: string }[] = [];
  for (const machine of machines) {
    const rule = rules.find((each) => takes(each, machine));
    if (!rule) {
      leftOut.push({ name: machine.name, why: 'no price rule matches it' });
      continue;
    }
    const gpu = gpuFor(machine, rule);
    if (gpu === undefined) {
      leftOut.push({ name: machine.name, why: `its GPU "${machine.gpu?.product}" is not known well enough` });
      continue;
    }
    const key = `${rule.label}/${gpu ? `${gpu.model}/${gpu.vramMiB}/${gpu.interface}` : 'cpu'}`;
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
  return { offers: [...groups.values()], leftOut };
};

const partsOf = ({ label, price, policy, storageClasses }: PriceRule) => ({
  label,
  price,
  policy,
  storageClasses,
});
