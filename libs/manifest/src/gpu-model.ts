import {
  findMigProfile,
  type GpuInterface,
  gpuModels,
  type GpuName,
  migProfilesOf,
  nominalVramMiB,
  readGpuName,
} from '@gridbourse/catalog';
import type { GpuRequest } from '@gridbourse/events';
import type { Context } from './context.ts';
import { asMap, expected, Fields } from './fields.ts';
import { didYouMean, quoted } from './nearest.ts';
import { readSize } from './quantity.ts';
import type { YamlNode } from './yaml-tree.ts';

export type ModelRequest = GpuRequest['models'][number];
export const VENDORS = ['nvidia', 'amd'] as const;
export type Vendor = (typeof VENDORS)[number];

/** One item of the list: a model with what is asked of it, or any model that has it. */
export type ModelItem = {
  readonly node: YamlNode;
  /** How one GPU of it is to be had, by the ending of the model's name; null where the item names no model. */
  readonly mode: GpuRequest['sharing']['mode'] | null;
  readonly requests: readonly ModelRequest[] | 'any';
};

export const readModelItem = (context: Context, item: YamlNode, vendor: Vendor): ModelItem | null => {
  const { report } = context;
  const map = asMap(report, item, 'a map with `model`');
  if (map === null) return null;
  const fields = new Fields(report, map, ['model', 'ram', 'interface']);
  const bus = readInterface(context, fields.get('interface'));
  const ramNode = fields.get('ram');
  const ramMiB = readRam(context, ramNode);
  const modelNode = fields.get('model');
  const text = modelNode === null ? '*' : modelNode.kind === 'scalar' ? modelNode.text.trim() : '';
  if (text === '*') {
    const requests = ramMiB === null && bus === null ? 'any' : everyModelWith(vendor, ramMiB, bus);
    return { node: item, mode: null, requests };
  }
  const name = readGpuName(text);
  if (name === null || name.model.vendor !== vendor) {
    const known = gpuModels.filter((model) => model.vendor === vendor).map((model) => model.id);
    report.fault(modelNode!, `unknown ${vendor} GPU model ${quoted(text)}${didYouMean(text, known)}`);
    return null;
  }
  const nominal = ramMiB === null ? name.vramMiB : nominalVramMiB(name.model, ramMiB);
  if (ramMiB !== null && nominal === null) warnOfVram(context, ramNode!, name);
  if (ramMiB !== null && name.vramMiB !== null && nominal !== name.vramMiB) {
    report.fault(ramNode!, `the model name says ${name.vramMiB / 1024}Gi`);
  }
  const migProfile = name.sharing.kind === 'mig' ? name.sharing.profile : null;
  const vramMiB = nominal ?? ramMiB;
  if (migProfile !== null) checkProfile(context, modelNode!, { name, vramMiB: nominal, profile: migProfile });
  return {
    node: modelNode!,
    mode: name.sharing.kind,
    requests: [{ model: name.model.id, vramMiB, interface: bus ?? name.interface, migProfile }],
  };
};

const warnOfVram = ({ report }: Context, node: YamlNode, { model, sharing }: GpuName): void => {
  const sold = [...new Set(model.variants.map((variant) => `${variant.vramMiB / 1024}Gi`))].join(', ');
  // Of a slice it would be mistaken for the slice's own memory, and then match nothing.
  if (sharing.kind === 'mig') {
    report.fault(
      node,
      `\`ram\` is that of the whole ${model.name}, which has ${sold}; a profile says its own`,
    );
  } else {
    report.warn(node, 'no_such_vram', `no ${model.name} was sold with that much memory; known: ${sold}`);
  }
};

const checkProfile = (
  { report }: Context,
  node: YamlNode,
  { name, vramMiB, profile }: { name: GpuName; vramMiB: number | null; profile: string },
): void => {
  const gpu = { model: name.model.id, vramMiB };
  if (findMigProfile(gpu, profile) !== null) return;
  const known = migProfilesOf(gpu).map((each) => each.name);
  const size = vramMiB === null ? '' : ` with ${vramMiB / 1024}Gi`;
  report.fault(
    node,
    known.length === 0
      ? `${name.model.name}${size} cannot be divided by MIG`
      : `${name.model.name}${size} has no MIG profile ${quoted(profile)}${didYouMean(profile, known)}; known: ${known.join(', ')}`,
  );
};

const everyModelWith = (vendor: Vendor, ramMiB: number | null, bus: GpuInterface | null): ModelRequest[] => {
  const requests: ModelRequest[] = [];
  for (const model of gpuModels) {
    if (model.vendor !== vendor) continue;
    const vramMiB = ramMiB === null ? null : nominalVramMiB(model, ramMiB);
    if (ramMiB !== null && vramMiB === null) continue;
    if (bus !== null && !model.variants.some((variant) => variant.interface === bus)) continue;
    requests.push({ model: model.id, vramMiB, interface: bus, migProfile: null });
  }
  // Nothing was ever sold so: keep the demand, so that it is explained and not lost.
  return requests.length > 0
    ? requests
    : [{ model: 'any', vramMiB: ramMiB, interface: bus, migProfile: null }];
};

const readInterface = ({ report }: Context, node: YamlNode | null): GpuInterface | null => {
  if (node === null) return null;
  const text = node.kind === 'scalar' ? node.text.toLowerCase() : '';
  if (text === 'pcie') return 'pcie';
  if (/^sxm\d?$/.test(text)) return 'sxm';
  expected(report, node, '`pcie` or `sxm`');
  return null;
};

const readRam = ({ report }: Context, node: YamlNode | null): number | null => {
  if (node === null) return null;
  const size = node.kind === 'scalar' ? readSize(node.text) : null;
  if (size === null || size.mib < 1n || size.mib > 1_048_576n) {
    expected(report, node, 'an amount of GPU memory like 80Gi');
    return null;
  }
  return Number(size.mib);
};
