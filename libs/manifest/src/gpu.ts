import { type GpuInterface, gpuModels, nominalVramMiB, readGpuName } from '@gridbourse/catalog';
import type { GpuRequest } from '@gridbourse/events';
import { type Context, LIMITS } from './context.ts';
import { asMap, expected, Fields, namedEntries, readInteger } from './fields.ts';
import { didYouMean, quoted } from './nearest.ts';
import { readSize } from './quantity.ts';
import type { YamlMapping, YamlNode } from './yaml-tree.ts';

type ModelRequest = GpuRequest['models'][number];
const VENDORS = ['nvidia', 'amd'] as const;
type Vendor = (typeof VENDORS)[number];

/** The `gpu` part of a compute profile. Null when it asks for none. */
export const readGpu = (context: Context, map: YamlMapping | null): GpuRequest | null => {
  if (map === null) return null;
  const { report } = context;
  const fields = new Fields(report, map, ['units', 'attributes']);
  const units = fields.need('units', 'a number of GPUs');
  const count =
    units === null
      ? null
      : readInteger(report, units, { min: 0, max: LIMITS.gpus, what: 'a number of GPUs' });
  const attributes = fields.map('attributes', 'a map with `vendor`');
  if (count === 0) {
    if (attributes !== null)
      report.warn(attributes, 'no_gpu', 'no GPU is asked for, so these attributes change nothing');
    return null;
  }
  if (attributes === null) {
    report.fault(map, '`attributes` is missing: expected `vendor` with `nvidia` or `amd`');
    return null;
  }
  const vendors = namedEntries(
    new Fields(report, attributes, ['vendor']).needMap('vendor', 'a map with `nvidia` or `amd`'),
  );
  const vendor = vendors[0];
  if (vendor === undefined) {
    report.fault(attributes, 'expected `vendor` with `nvidia` or `amd`');
    return null;
  }
  if (vendors.length > 1) report.fault(vendors[1]!.key, 'expected one vendor, found another');
  if (!VENDORS.includes(vendor.key.text as Vendor)) {
    report.fault(
      vendor.key,
      `unknown vendor ${quoted(vendor.key.text)}${didYouMean(vendor.key.text, VENDORS)}; known: nvidia, amd`,
    );
    return null;
  }
  const name = vendor.key.text as Vendor;
  return count === null
    ? null
    : { count, vendor: name, sharing: { mode: 'whole' }, models: readModels(context, vendor.value, name) };
};

const readModels = (context: Context, node: YamlNode, vendor: Vendor): ModelRequest[] => {
  if (node.kind === 'null') return [];
  if (node.kind !== 'list') {
    expected(context.report, node, 'a list of models');
    return [];
  }
  const models = new Map<string, ModelRequest>();
  let any = false;
  for (const item of node.items) {
    const requests = readModel(context, item, vendor);
    if (requests === 'any') any = true;
    else for (const request of requests) models.set(JSON.stringify(request), request);
  }
  return any ? [] : [...models.values()];
};

/** One item of the list: a model with what is asked of it, or any model that has it. */
const readModel = (context: Context, item: YamlNode, vendor: Vendor): readonly ModelRequest[] | 'any' => {
  const { report } = context;
  const map = asMap(report, item, 'a map with `model`');
  if (map === null) return [];
  const fields = new Fields(report, map, ['model', 'ram', 'interface']);
  const bus = readInterface(context, fields.get('interface'));
  const ramNode = fields.get('ram');
  const ramMiB = readRam(context, ramNode);
  const modelNode = fields.get('model');
  const text = modelNode === null ? '*' : modelNode.kind === 'scalar' ? modelNode.text.trim() : '';
  if (text === '*') return ramMiB === null && bus === null ? 'any' : everyModelWith(vendor, ramMiB, bus);

  const name = readGpuName(text);
  if (name === null || name.model.vendor !== vendor) {
    const known = gpuModels.filter((model) => model.vendor === vendor).map((model) => model.id);
    report.fault(modelNode!, `unknown ${vendor} GPU model ${quoted(text)}${didYouMean(text, known)}`);
    return [];
  }
  const nominal = ramMiB === null ? name.vramMiB : nominalVramMiB(name.model, ramMiB);
  if (ramMiB !== null && nominal === null) {
    const sold = [...new Set(name.model.variants.map((variant) => `${variant.vramMiB / 1024}Gi`))].join(', ');
    report.warn(
      ramNode!,
      'no_such_vram',
      `no ${name.model.name} was sold with that much memory; known: ${sold}`,
    );
  }
  if (ramMiB !== null && name.vramMiB !== null && nominal !== name.vramMiB) {
    report.fault(ramNode!, `the model name says ${name.vramMiB / 1024}Gi`);
  }
  return [
    { model: name.model.id, vramMiB: nominal ?? ramMiB, interface: bus ?? name.interface, migProfile: null },
  ];
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
