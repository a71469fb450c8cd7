import type { GpuRequest, VolumeSpec } from '@gridbourse/events';
import { type Context, DNS_LABEL, LIMITS } from './context.ts';
import { asMap, expected, Fields, namedEntries } from './fields.ts';
import { readGpu } from './gpu.ts';
import { didYouMean, quoted } from './nearest.ts';
import { readThousandths, readSize } from './quantity.ts';
import type { Mount } from './services.ts';
import type { YamlMapping, YamlNode } from './yaml-tree.ts';

/** The name of a volume that the manifest does not name: the root disk of the container. */
const ROOT_VOLUME = 'default';
/** Where programs look for memory that they share. */
const SHARED_MEMORY = '/dev/shm';
const STORAGE_CLASSES = ['beta1', 'beta2', 'beta3', 'default', 'ram'];

type Storage = {
  readonly node: YamlNode;
  readonly name: string;
  readonly sizeMiB: number;
  readonly kind: VolumeSpec['kind'];
  readonly storageClass: string | null;
};

/** A compute profile: what one replica asks for. */
export type Compute = {
  readonly cpuMillis: number;
  readonly memoryMiB: number;
  readonly gpu: GpuRequest | null;
  readonly storage: readonly Storage[];
  /** An instruction set other than the usual one, which becomes a required attribute of the provider. */
  readonly cpuArchitecture: string | null;
  readonly node: YamlNode;
};

export const readComputeProfiles = (context: Context, map: YamlMapping | null): Map<string, Compute> => {
  const profiles = new Map<string, Compute>();
  for (const { key, value } of namedEntries(map)) {
    const profile = asMap(context.report, value, 'a map with `resources`');
    if (profile === null) continue;
    const resources = new Fields(context.report, profile, ['resources']).needMap(
      'resources',
      'a map with `cpu`, `memory` and `storage`',
    );
    if (resources !== null) profiles.set(key.text, readResources(context, resources));
  }
  return profiles;
};

const readResources = (context: Context, map: YamlMapping): Compute => {
  const { report } = context;
  const fields = new Fields(report, map, ['cpu', 'memory', 'storage', 'gpu', 'id']);
  const cpu = fields.needMap('cpu', 'a map with `units`');
  const cpuFields = cpu && new Fields(report, cpu, ['units', 'attributes']);
  const memory = fields.needMap('memory', 'a map with `size`');
  const memoryFields = memory && new Fields(report, memory, ['size', 'attributes']);
  const memorySize = memoryFields?.need('size', 'an amount of memory like 512Mi or 4Gi') ?? null;
  const memoryAttributes = memoryFields?.get('attributes') ?? null;
  if (memoryAttributes !== null) {
    report.warn(
      memoryAttributes,
      'ignored_field',
      'attributes of memory change nothing: there is one kind of it',
    );
  }
  return {
    node: map,
    cpuMillis: readCpu(context, cpuFields),
    memoryMiB: memorySize === null ? 1 : readMiB(context, memorySize, LIMITS.memoryMiB, 'memory'),
    gpu: readGpu(context, fields.map('gpu', 'a map with `units`')),
    storage: readStorage(context, fields.need('storage', 'a size, or a list of volumes')),
    cpuArchitecture: readArchitecture(context, cpuFields),
  };
};

const readCpu = ({ report }: Context, fields: Fields | null): number => {
  let node = fields?.need('units', 'a number of cores like 0.5, 4 or 500m') ?? null;
  if (node?.kind === 'list' && node.items.length === 1) {
    report.warn(node, 'number_expected', '`units` is a number; its list of one was read as that number');
    node = node.items[0]!;
  }
  if (node === null) return 1;
  const millis = node.kind === 'scalar' ? readThousandths(node.text) : null;
  if (millis !== null && millis >= 1n && millis <= LIMITS.cpuMillis) return Number(millis);
  expected(report, node, `cores from 0.001 to ${LIMITS.cpuMillis / 1_000}, like 0.5, 4 or 500m`);
  return 1;
};

const readArchitecture = ({ report }: Context, fields: Fields | null): string | null => {
  const attributes = fields?.map('attributes', 'a map with `arch`') ?? null;
  if (attributes === null) return null;
  const arch = new Fields(report, attributes, ['arch']).get('arch');
  if (arch === null) return null;
  if (arch.kind === 'scalar') return arch.text === 'amd64' ? null : arch.text;
  const named = arch.kind === 'map' ? [...arch.entries.values()] : [];
  const first = named[0];
  if (named.length !== 1 || first === undefined) {
    expected(report, arch, 'one architecture, like amd64 or arm64');
    return null;
  }
  const models = first.value.kind === 'list' ? first.value.items : [];
  const model = models[0]?.kind === 'map' ? models[0].entries.get('model')?.value : undefined;
  const name = model?.kind === 'scalar' ? `${first.key.text}/${model.text}` : first.key.text;
  return name === 'amd64' ? null : name;
};

const readMiB = ({ report }: Context, node: YamlNode, max: number, what: string): number => {
  const size = node.kind === 'scalar' ? readSize(node.text) : null;
  if (size === null || size.mib < 1n || size.mib > BigInt(max)) {
    expected(report, node, `an amount of ${what} up to ${max / 1_048_576}Ti, like 512Mi or 4Gi`);
    return 1;
  }
  if (size.spelling !== null) {
    report.warn(
      node,
      'unit_spelling',
      `${quoted((node as { text: string }).text)} was read with the unit \`${size.spelling}\``,
    );
  }
  return Number(size.mib);
};

const readStorage = (context: Context, node: YamlNode | null): Storage[] => {
  const { report } = context;
  if (node === null) return [];
  if (node.kind === 'scalar') {
    const sizeMiB = readMiB(context, node, LIMITS.volumeMiB, 'storage');
    return [{ node, name: ROOT_VOLUME, sizeMiB, kind: 'ephemeral', storageClass: null }];
  }
  const items = node.kind === 'list' ? node.items : [node];
  if (items.length > LIMITS.volumes) report.fault(node, `more than ${LIMITS.volumes} volumes`);
  const volumes: Storage[] = [];
  for (const item of items) {
    const map = asMap(report, item, 'a map with `size`');
    if (map === null) continue;
    const volume = readVolume(context, map);
    if (volumes.some(({ name }) => name === volume.name)) {
      report.fault(map, `there is already a volume named \`${volume.name}\``);
    }
    volumes.push(volume);
  }
  return volumes;
};

const readVolume = (context: Context, map: YamlMapping): Storage => {
  const { report } = context;
  const fields = new Fields(report, map, ['name', 'size', 'attributes']);
  const size = fields.need('size', 'an amount of storage like 10Gi');
  const name = fields.text('name', 'a name') ?? ROOT_VOLUME;
  if (!DNS_LABEL.test(name.replaceAll('_', '-'))) {
    report.fault(fields.get('name')!, `${quoted(name)} cannot name a volume`);
  }
  const attributes = fields.map('attributes', 'a map with `persistent` and `class`');
  const own = attributes && new Fields(report, attributes, ['persistent', 'class']);
  const persistent = own?.boolean('persistent') ?? false;
  const storageClass = own?.text('class', 'a storage class') ?? null;
  const common = {
    node: map,
    name,
    sizeMiB: size === null ? 1 : readMiB(context, size, LIMITS.volumeMiB, 'storage'),
  };
  if (storageClass === 'ram') {
    if (persistent) report.fault(own!.get('persistent')!, 'a volume of class `ram` cannot be persistent');
    return { ...common, kind: 'ram', storageClass: null };
  }
  if (storageClass !== null && !STORAGE_CLASSES.includes(storageClass)) {
    const node = own!.get('class')!;
    report.fault(
      node,
      `unknown storage class ${quoted(storageClass)}${didYouMean(storageClass, STORAGE_CLASSES)}`,
    );
  }
  if (persistent) return { ...common, kind: 'persistent', storageClass };
  if (storageClass !== null) {
    report.warn(
      own!.get('class')!,
      'class_of_ephemeral',
      'a volume that is not persistent has no storage class',
    );
  }
  return { ...common, kind: 'ephemeral', storageClass: null };
};

/** Joins the volumes of a profile with the mounts of a service that uses it. */
export const mountVolumes = (
  { report }: Context,
  compute: Compute,
  mounts: ReadonlyMap<string, Mount>,
): VolumeSpec[] => {
  const names = compute.storage.map(({ name }) => name);
  for (const [name, mount] of mounts) {
    if (!names.includes(name)) {
      report.fault(mount.node, `the compute profile has no volume ${quoted(name)}${didYouMean(name, names)}`);
    }
  }
  const taken = new Set<string>();
  return compute.storage.map(({ node, name, sizeMiB, kind, storageClass }) => {
    const mount = mounts.get(name);
    let mountPath = mount?.mountPath ?? null;
    if (mountPath === null && kind === 'persistent') {
      const place = `params.storage.${name}.mount`;
      report.fault(
        mount?.node ?? node,
        `a persistent volume needs a name and a place: expected \`${place}\` in its service`,
      );
    }
    if (mountPath === null && kind === 'ram') {
      mountPath = SHARED_MEMORY;
      report.warn(
        node,
        'shared_memory_placed',
        `no service says where, so it is mounted at ${SHARED_MEMORY}`,
      );
    }
    if (mountPath === null && kind === 'ephemeral' && name !== ROOT_VOLUME) {
      report.warn(node, 'volume_not_mounted', `no service mounts \`${name}\`; it adds to the root disk`);
    }
    if (mountPath !== null && taken.has(mountPath))
      report.fault(mount!.node, `something else is mounted at ${mountPath}`);
    if (mountPath !== null) taken.add(mountPath);
    return { name, sizeMiB, mountPath, readOnly: mount?.readOnly ?? false, kind, storageClass };
  });
};
