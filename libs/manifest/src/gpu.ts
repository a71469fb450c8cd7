import type { GpuRequest } from '@gridbourse/events';
import { type Context, LIMITS } from './context.ts';
import { expected, Fields, namedEntries } from './fields.ts';
import { type ModelItem, type ModelRequest, readModelItem, type Vendor, VENDORS } from './gpu-model.ts';
import { didYouMean, quoted } from './nearest.ts';
import { readThousandths } from './quantity.ts';
import type { YamlMapping, YamlNode } from './yaml-tree.ts';

type Sharing = GpuRequest['sharing'];
/** `units`: so many whole things, or a part of one. */
type Units = { readonly node: YamlNode; readonly count: number; readonly milli: number | null };

/** The smallest slot that there can be: a slot of any size does. */
const ANY_SLOT: Sharing = { mode: 'shared', milli: 1 };
const SHARED_BY = {
  whole: 'whole GPUs',
  shared: 'shared GPUs (`-shared`)',
  mig: 'MIG slices (`-mig-…`)',
} as const;

/**
 * The `gpu` part of a compute profile. Null when it asks for none. A part of a GPU is asked for by `units` below 1, by a
 * model name that ends in `-shared` (any slot), or by one that ends in `-mig-` and a profile.
 */
export const readGpu = (context: Context, map: YamlMapping | null): GpuRequest | null => {
  if (map === null) return null;
  const { report } = context;
  const fields = new Fields(report, map, ['units', 'attributes']);
  const units = readUnits(context, fields.need('units', 'a number of GPUs'));
  const attributes = fields.map('attributes', 'a map with `vendor`');
  if (units?.count === 0) {
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
  const items = readItems(context, vendor.value, name);
  if (units === null) return null;
  const sharing = readSharing(context, units, items, name);
  return { count: units.count, vendor: name, sharing, models: modelsOf(items) };
};

const readUnits = ({ report }: Context, node: YamlNode | null): Units | null => {
  if (node === null) return null;
  const text = node.kind === 'scalar' ? node.text.trim() : '';
  const milli = readThousandths(text);
  if (milli === null || milli < 0n || milli > BigInt(LIMITS.gpus) * 1_000n) {
    expected(
      report,
      node,
      `a number of GPUs, a whole number from 0 to ${LIMITS.gpus} or a part of one like 0.25 or 250m`,
    );
    return null;
  }
  if (milli > 1_000n && milli % 1_000n !== 0n) {
    report.fault(node, `more than one GPU is a whole number of them, found ${quoted(text)}`);
    return null;
  }
  const isPart = milli > 0n && milli < 1_000n;
  return { node, count: isPart ? 1 : Number(milli / 1_000n), milli: isPart ? Number(milli) : null };
};

const readItems = (context: Context, node: YamlNode, vendor: Vendor): ModelItem[] => {
  if (node.kind === 'null') return [];
  if (node.kind !== 'list') {
    expected(context.report, node, 'a list of models');
    return [];
  }
  return node.items.flatMap((item) => readModelItem(context, item, vendor) ?? []);
};

const modelsOf = (items: readonly ModelItem[]): ModelRequest[] => {
  const models = new Map<string, ModelRequest>();
  for (const { requests } of items) {
    if (requests === 'any') return [];
    for (const request of requests) models.set(JSON.stringify(request), request);
  }
  return [...models.values()];
};

/** One request is for one kind of thing: what a slot, a slice and a GPU can do and cost differs too much to choose for the tenant. */
const readSharing = (
  { report }: Context,
  units: Units,
  items: readonly ModelItem[],
  vendor: Vendor,
): Sharing => {
  const [first] = items;
  if (units.milli !== null) {
    const sliced = items.find(({ mode }) => mode === 'mig');
    if (sliced) {
      report.fault(sliced.node, 'a part of a GPU (`units` below 1) and a MIG slice exclude each other');
    }
  } else {
    const mode = first?.mode ?? 'whole';
    const other = items.find((item) => (item.mode ?? 'whole') !== mode);
    if (other) {
      const both = `${SHARED_BY[mode]} and ${SHARED_BY[other.mode ?? 'whole']}`;
      report.fault(other.node, `one request cannot be for ${both}: write a service for each`);
    }
  }
  const sharing = sharingOf(units, first);
  if (vendor !== 'nvidia' && sharing.mode !== 'whole') {
    report.fault(units.milli === null ? first!.node : units.node, `GPUs of ${vendor} are only sold whole`);
  }
  return sharing;
};

const sharingOf = ({ milli }: Units, first: ModelItem | undefined): Sharing => {
  if (milli !== null) return { mode: 'shared', milli };
  if (first?.mode === 'shared') return ANY_SLOT;
  return { mode: first?.mode === 'mig' ? 'mig' : 'whole' };
};
