import type { ServiceSpec, WorkloadSecrets } from '@gridbourse/events';
import { type Context, DNS_LABEL, LIMITS } from './context.ts';
import { readExpose } from './expose.ts';
import { asMap, expected, type Extras, Fields, namedEntries, readText } from './fields.ts';
import { quoted } from './nearest.ts';
import { shellWords } from './shell-words.ts';
import type { YamlEntry, YamlMapping, YamlNode } from './yaml-tree.ts';

export type ServiceSecrets = WorkloadSecrets['services'][string];

/** Where a service mounts a volume of its compute profile. */
export type Mount = {
  readonly node: YamlNode;
  readonly mountPath: string | null;
  readonly readOnly: boolean;
};

/** A service before it meets its compute profile. */
export type ReadService = {
  readonly name: string;
  readonly key: YamlEntry['key'];
  readonly spec: Pick<
    ServiceSpec,
    'image' | 'imagePullPolicy' | 'privateImage' | 'command' | 'args' | 'envNames' | 'ports'
  >;
  readonly secrets: ServiceSecrets;
  /** By volume name. */
  readonly mounts: ReadonlyMap<string, Mount>;
  /** A confidential-computing demand, which becomes a required attribute of the provider. */
  readonly tee: string | null;
};

const KNOWN = ['image', 'command', 'args', 'env', 'expose', 'params', 'credentials', 'pull_policy'];
const NOT_A_CONTAINER_FILE =
  'it belongs to other tools, and the networks that define these manifests ignore it';
const EXTRAS: Extras = {
  depends_on: 'services start together, as on the networks that define these manifests',
  'depends-on': 'services start together, as on the networks that define these manifests',
  dependencies: 'services start together, as on the networks that define these manifests',
  cmd: 'the networks that define these manifests read `command` and `args` only',
  volumes: `storage is asked for in the compute profile; ${NOT_A_CONTAINER_FILE}`,
  links: NOT_A_CONTAINER_FILE,
  restart: `a service always restarts; ${NOT_A_CONTAINER_FILE}`,
  container_name: NOT_A_CONTAINER_FILE,
};
const PULL_POLICIES = ['Always', 'IfNotPresent', 'Never'] as const;
const ENV_NAME = /^[^=\p{C}]+$/u;

export const readServices = (context: Context, map: YamlMapping): Map<string, ReadService> => {
  const services = new Map<string, ReadService>();
  for (const { key, value } of namedEntries(map)) {
    if (!DNS_LABEL.test(key.text)) {
      context.report.fault(
        key,
        `${quoted(key.text)} cannot name a service: expected lower-case letters, digits and hyphens`,
      );
    }
    const node = asMap(context.report, value, 'a service: a map with `image`');
    if (node !== null) services.set(key.text, readService(context, key, node));
  }
  return services;
};

const readService = (context: Context, key: YamlEntry['key'], node: YamlMapping): ReadService => {
  const { report } = context;
  const fields = new Fields(report, node, KNOWN, EXTRAS);
  const image = fields.needText('image', 'a container image');
  if (image !== null && (!/^\S+$/.test(image) || image.length > LIMITS.imageLength)) {
    expected(report, fields.get('image')!, 'a container image without blanks');
  }
  const credentials = readCredentials(context, fields, image ?? '');
  const env = readEnv(context, fields.get('env'));
  const params = readParams(context, fields);
  return {
    name: key.text,
    key,
    spec: {
      image: image ?? '',
      imagePullPolicy: readPullPolicy(context, fields),
      privateImage: credentials !== null,
      command: readWords(context, fields.get('command')),
      args: readWords(context, fields.get('args')),
      envNames: Object.keys(env),
      ports: readExpose(context, fields.list('expose', 'a list of ports')),
    },
    secrets: { env, imageCredentials: credentials },
    ...params,
  };
};

const readPullPolicy = ({ report }: Context, fields: Fields): ServiceSpec['imagePullPolicy'] => {
  const node = fields.get('pull_policy');
  if (node === null) return null;
  const text = node.kind === 'scalar' ? node.text.toLowerCase() : '';
  const policy = PULL_POLICIES.find((candidate) => candidate.toLowerCase() === text) ?? null;
  if (policy === null) expected(report, node, `one of ${PULL_POLICIES.join(', ')}`);
  return policy;
};

/** A list is taken word for word; one text is split as a shell would. */
const readWords = ({ report }: Context, node: YamlNode | null): string[] => {
  if (node === null) return [];
  let words: string[] = [];
  if (node.kind === 'scalar') {
    const split = shellWords(node.text);
    if (split === null) report.fault(node, 'a quote is not closed in this command line');
    words = split ?? [];
  } else if (node.kind === 'list') {
    for (const item of node.items) words.push(readText(report, item, 'text') ?? '');
  } else expected(report, node, 'a list of words');
  if (words.some((word) => word.length > LIMITS.wordLength)) {
    report.fault(node, `a word is longer than ${LIMITS.wordLength} characters`);
  }
  return words;
};

const readEnv = ({ report }: Context, node: YamlNode | null): Record<string, string> => {
  const env: Record<string, string> = Object.create(null) as Record<string, string>;
  if (node === null) return env;
  if (node.kind !== 'list') {
    expected(report, node, 'a list of `KEY=VALUE`');
    return env;
  }
  if (node.items.length > LIMITS.env) report.fault(node, `more than ${LIMITS.env} environment variables`);
  for (const item of node.items) {
    if (item.kind === 'null') continue;
    // Faults say where, and never what stands there: it may be a secret.
    if (item.kind !== 'scalar') {
      report.fault(item, 'expected `KEY=VALUE`; quote it when it has a colon followed by a blank');
      continue;
    }
    const at = item.text.indexOf('=');
    const name = at < 0 ? item.text : item.text.slice(0, at);
    const value = at < 0 ? '' : item.text.slice(at + 1);
    if (!ENV_NAME.test(name) || name.length > LIMITS.envNameLength) {
      report.fault(item, 'expected `KEY=VALUE` with the name of an environment variable before the `=`');
    } else if (value.length > LIMITS.envValueLength) {
      report.fault(item, `the value is longer than ${LIMITS.envValueLength} characters`);
    } else {
      if (name in env)
        report.warn(item, 'env_given_twice', `${quoted(name)} is given twice; the last one counts`);
      env[name] = value;
    }
  }
  return env;
};

const readCredentials = (
  { report }: Context,
  fields: Fields,
  image: string,
): ServiceSecrets['imageCredentials'] => {
  const map = fields.map('credentials', 'a map with `host`, `username` and `password`');
  if (map === null) return null;
  const own = new Fields(report, map, ['host', 'registry', 'email', 'username', 'password']);
  const host = own.get('host') ?? own.get('registry');
  const server = host === null ? registryOf(image) : readText(report, host, 'a registry');
  const username = own.needText('username', 'a user name');
  const password = own.needText('password', 'a password');
  const email = own.get('email');
  if (email !== null)
    report.warn(email, 'ignored_field', '`email` changes nothing: registries do not ask for it');
  if (server === null || username === null || password === null) return null;
  if (server.length > 253 || username.length > 256 || password.length > 4_096) {
    report.fault(map, 'these credentials are too long');
    return null;
  }
  return { server, username, password };
};

/** Docker's rule: the part before the first slash is a host if it has a dot or a colon. */
const registryOf = (image: string): string => {
  const [first = '', ...rest] = image.split('/');
  return rest.length > 0 && /[.:]/.test(first) ? first : 'docker.io';
};

const readParams = (context: Context, fields: Fields): Pick<ReadService, 'mounts' | 'tee'> => {
  const { report } = context;
  const mounts = new Map<string, Mount>();
  const map = fields.map('params', 'a map with `storage`');
  if (map === null) return { mounts, tee: null };
  const params = new Fields(report, map, ['storage', 'tee', 'permissions']);
  for (const { key, value } of namedEntries(params.map('storage', 'a map of volumes'))) {
    const node = asMap(report, value, 'a map with `mount`');
    if (node === null) continue;
    const mount = new Fields(report, node, ['mount', 'readOnly', 'read_only']);
    const mountPath = mount.text('mount', 'an absolute path');
    if (mountPath !== null && (!/^\/[^\0:]*$/.test(mountPath) || mountPath.length > 1_024)) {
      expected(report, mount.get('mount')!, 'an absolute path');
    }
    const readOnly = mount.boolean('readOnly') ?? mount.boolean('read_only') ?? false;
    mounts.set(key.text, { node: { kind: 'null', ...key }, mountPath, readOnly });
  }
  if (params.get('permissions') !== null) {
    report.fault(
      params.get('permissions')!,
      '`permissions` cannot be given here: workloads get no access to the cluster',
    );
  }
  return { mounts, tee: params.text('tee', 'a kind of trusted execution: cpu, gpu or cpu-gpu') };
};
