import type {
  Container,
  Fields,
  KubeObject,
  LabelSelector,
  PodSpec,
  PodTemplate,
  ResourceList,
  Service,
  StatefulSet,
  Value,
} from '../objects.ts';
import { canonicalJson } from '@gridbourse/kernel';
import type { StatusCause } from '../api/status.ts';
import { selectorMatches } from '../api/selectors.ts';
import {
  CLAIMS,
  DEPLOYMENTS,
  JOBS,
  NAMESPACES,
  NETWORK_POLICIES,
  PODS,
  REPLICA_SETS,
  type ResourceKind,
  SERVICES,
  STATEFUL_SETS,
} from '../kinds.ts';
import { amountOf, parseQuantity } from '../quantity.ts';

const DNS_LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const DNS_SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const LABEL_NAME = /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)$/;
const ENV_NAME = /^[ -<>-~]+$/;
const CIDR = /^(\d{1,3}(\.\d{1,3}){3}\/\d{1,2}|[0-9a-fA-F:]+\/\d{1,3})$/;

/** Collects faults; the API shows all of them at once. */
class Faults {
  readonly causes: StatusCause[] = [];

  required(field: string, message = ''): void {
    this.causes.push({
      reason: 'FieldValueRequired',
      field,
      message: `Required value${message && `: ${message}`}`,
    });
  }

  invalid(field: string, value: unknown, why: string): void {
    const message = `Invalid value: ${JSON.stringify(value)}: ${why}`;
    this.causes.push({ reason: 'FieldValueInvalid', field, message });
  }

  duplicate(field: string, value: unknown): void {
    this.causes.push({
      reason: 'FieldValueDuplicate',
      field,
      message: `Duplicate value: ${JSON.stringify(value)}`,
    });
  }

  unsupported(field: string, value: unknown, supported: readonly string[]): void {
    const list = supported.map((each) => `"${each}"`).join(', ');
    const message = `Unsupported value: ${JSON.stringify(value)}: supported values: ${list}`;
    this.causes.push({ reason: 'FieldValueNotSupported', field, message });
  }

  forbidden(field: string, why: string): void {
    this.causes.push({ reason: 'FieldValueForbidden', field, message: `Forbidden: ${why}` });
  }
}

const LABEL_NAMES = new Set([NAMESPACES, SERVICES]);

const checkMeta = (kind: ResourceKind, object: KubeObject, faults: Faults): void => {
  const { name, labels, annotations } = object.metadata;
  const pattern = LABEL_NAMES.has(kind) ? DNS_LABEL : DNS_SUBDOMAIN;
  const limit = LABEL_NAMES.has(kind) ? 63 : 253;
  const free = kind.group === 'rbac.authorization.k8s.io';
  if (!free && (!pattern.test(name) || name.length > limit)) {
    faults.invalid(
      'metadata.name',
      name,
      `a lowercase RFC 1123 ${limit === 63 ? 'label' : 'subdomain'} must consist of lower case alphanumeric characters, '-'${limit === 63 ? '' : " or '.'"}, and must start and end with an alphanumeric character, at most ${limit}`,
    );
  }
  checkLabels(labels, 'metadata.labels', faults);
  for (const [key, value] of Object.entries(annotations ?? {})) {
    if (typeof value !== 'string') faults.invalid(`metadata.annotations.${key}`, value, 'must be a string');
  }
};

const checkLabels = (labels: Record<string, string> | undefined, field: string, faults: Faults): void => {
  for (const [key, value] of Object.entries(labels ?? {})) {
    const [prefix, name] = key.includes('/')
      ? [key.split('/')[0]!, key.slice(key.indexOf('/') + 1)]
      : ['', key];
    if (!LABEL_NAME.test(name) || name.length > 63 || (prefix !== '' && !DNS_SUBDOMAIN.test(prefix))) {
      faults.invalid(field, key, "name part must consist of alphanumeric characters, '-', '_' or '.'");
    }
    if (typeof value !== 'string' || value.length > 63 || (value !== '' && !LABEL_NAME.test(value))) {
      faults.invalid(
        field,
        value,
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', at most 63",
      );
    }
  }
};

const checkResources = (container: Container, field: string, faults: Faults): void => {
  const { limits = {}, requests = {} } = container.resources ?? {};
  for (const [list, name] of [
    [limits, 'limits'],
    [requests, 'requests'],
  ] as const) {
    checkQuantities(list, `${field}.resources.${name}`, faults);
  }
  for (const [resource, request] of Object.entries(requests)) {
    const limit = limits[resource];
    const extended = resource.includes('/');
    const at = `${field}.resources.requests`;
    if (extended && limit === undefined) {
      faults.required(`${field}.resources.limits`, 'Limit must be set for non overcommitable resources');
    } else if (extended && amountOf(resource, limit!) !== amountOf(resource, request)) {
      faults.invalid(at, request, `must be equal to ${resource} limit of ${limit}`);
    } else if (limit !== undefined && amountOf(resource, request) > amountOf(resource, limit)) {
      faults.invalid(at, request, `must be less than or equal to ${resource} limit of ${limit}`);
    }
  }
};

const checkQuantities = (list: ResourceList, field: string, faults: Faults): void => {
  for (const [resource, quantity] of Object.entries(list)) {
    const value = parseQuantity(quantity);
    if (Number.isNaN(value)) {
      faults.invalid(
        `${field}.${resource}`,
        quantity,
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
      );
    } else if (value < 0) {
      faults.invalid(`${field}.${resource}`, quantity, 'must be greater than or equal to 0');
    } else if (resource.includes('/') && !Number.isInteger(value)) {
      faults.invalid(`${field}.${resource}`, quantity, 'must be an integer');
    }
  }
};

const checkPort = (port: unknown, field: string, faults: Faults): void => {
  if (!Number.isInteger(port) || (port as number) < 1 || (port as number) > 65_535) {
    faults.invalid(field, port, 'must be between 1 and 65535, inclusive');
  }
};

const checkContainer = (container: Container, field: string, volumes: Set<string>, faults: Faults): void => {
  if (!container.name) faults.required(`${field}.name`);
  else if (!DNS_LABEL.test(container.name) || container.name.length > 63) {
    faults.invalid(`${field}.name`, container.name, 'a lowercase RFC 1123 label');
  }
  if (typeof container.image !== 'string' || container.image.trim() === '') faults.required(`${field}.image`);
  for (const [i, variable] of (container.env ?? []).entries()) {
    if (!ENV_NAME.test(variable.name ?? ''))
      faults.invalid(
        `${field}.env[${i}].name`,
        variable.name,
        "a valid environment variable name must consist only of printable ASCII characters other than '='",
      );
    if (variable.value !== undefined && typeof variable.value !== 'string') {
      faults.invalid(`${field}.env[${i}].value`, variable.value, 'must be a string');
    }
  }
  for (const [i, port] of (container.ports ?? []).entries()) {
    checkPort(port.containerPort, `${field}.ports[${i}].containerPort`, faults);
  }
  const paths = new Set<string>();
  for (const [i, mount] of (container.volumeMounts ?? []).entries()) {
    if (!volumes.has(mount.name)) {
      faults.causes.push({
        reason: 'FieldValueNotFound',
        field: `${field}.volumeMounts[${i}].name`,
        message: `Not found: ${JSON.stringify(mount.name)}`,
      });
    }
    if (paths.has(mount.mountPath))
      faults.invalid(`${field}.volumeMounts[${i}].mountPath`, mount.mountPath, 'must be unique');
    paths.add(mount.mountPath);
  }
  checkResources(container, field, faults);
};

const checkPodSpec = (
  spec: PodSpec | undefined,
  field: string,
  policies: readonly string[],
  claims: readonly string[],
  faults: Faults,
): void => {
  if (!spec?.containers?.length) return faults.required(`${field}.containers`);
  const volumes = new Set([...(spec.volumes ?? []).map((volume) => volume.name), ...claims]);
  const names = new Set<string>();
  for (const [list, name] of [
    [spec.initContainers ?? [], 'initContainers'],
    [spec.containers, 'containers'],
  ] as const) {
    for (const [i, container] of list.entries()) {
      checkContainer(container, `${field}.${name}[${i}]`, volumes, faults);
      if (names.has(container.name)) faults.duplicate(`${field}.${name}[${i}].name`, container.name);
      names.add(container.name);
    }
  }
  if (spec.restartPolicy === undefined)
    faults.required(`${field}.restartPolicy`, `valid values: "${policies.join('", "')}"`);
  else if (!policies.includes(spec.restartPolicy))
    faults.unsupported(`${field}.restartPolicy`, spec.restartPolicy, policies);
};

const checkTemplate = (
  spec: { selector?: LabelSelector; template?: PodTemplate } & Partial<StatefulSet['spec']>,
  policies: readonly string[],
  selectorNeeded: boolean,
  faults: Faults,
): void => {
  if (selectorNeeded) {
    if (!spec.selector) faults.required('spec.selector');
    else if (!selectorMatches(spec.selector, spec.template?.metadata?.labels)) {
      faults.invalid(
        'spec.template.metadata.labels',
        spec.template?.metadata?.labels,
        '`selector` does not match template `labels`',
      );
    }
  }
  checkLabels(spec.template?.metadata?.labels, 'spec.template.metadata.labels', faults);
  const claims = (spec.volumeClaimTemplates ?? []).map((claim) => claim.metadata.name);
  checkPodSpec(spec.template?.spec, 'spec.template.spec', policies, claims, faults);
  for (const count of [
    'replicas',
    'parallelism',
    'completions',
    'backoffLimit',
    'activeDeadlineSeconds',
  ] as const) {
    const value = (spec as Fields)[count];
    if (value !== undefined && (!Number.isInteger(value) || (value as number) < 0)) {
      faults.invalid(`spec.${count}`, value, 'must be greater than or equal to 0');
    }
  }
};

const checkService = (object: Service, faults: Faults): void => {
  const ports = object.spec?.ports ?? [];
  if (ports.length === 0 && object.spec?.clusterIP !== 'None' && object.spec?.type !== 'ExternalName') {
    faults.required('spec.ports');
  }
  const names = new Set<string>();
  for (const [i, port] of ports.entries()) {
    checkPort(port.port, `spec.ports[${i}].port`, faults);
    if (ports.length > 1 && !port.name) faults.required(`spec.ports[${i}].name`);
    if (port.name !== undefined) {
      if (!DNS_LABEL.test(port.name))
        faults.invalid(`spec.ports[${i}].name`, port.name, 'a lowercase RFC 1123 label');
      if (names.has(port.name)) faults.duplicate(`spec.ports[${i}].name`, port.name);
      names.add(port.name);
    }
  }
};

const checkNetworkPolicy = (object: KubeObject, faults: Faults): void => {
  const walk = (value: Value | undefined, path: string): void => {
    if (Array.isArray(value)) return value.forEach((item, i) => walk(item, `${path}[${i}]`));
    if (value === null || typeof value !== 'object') return;
    for (const [field, below] of Object.entries(value)) {
      const at = `${path}.${field}`;
      if (field === 'cidr' && !(typeof below === 'string' && CIDR.test(below))) {
        faults.invalid(at, below, 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)');
      }
      walk(below, at);
    }
  };
  walk((object as unknown as Fields)['spec'], 'spec');
};

const IMMUTABLE = new Map<ResourceKind, readonly string[]>([
  [DEPLOYMENTS, ['selector']],
  [REPLICA_SETS, ['selector']],
  [JOBS, ['selector', 'template', 'completionMode', 'completions']],
  [STATEFUL_SETS, ['selector', 'serviceName', 'volumeClaimTemplates', 'podManagementPolicy']],
  [CLAIMS, ['accessModes', 'storageClassName', 'volumeName']],
  [PODS, ['nodeName', 'restartPolicy', 'volumes', 'nodeSelector']],
]);

const checkImmutable = (kind: ResourceKind, before: KubeObject, after: KubeObject, faults: Faults): void => {
  const old = ((before as unknown as Fields)['spec'] ?? {}) as Fields;
  const now = ((after as unknown as Fields)['spec'] ?? {}) as Fields;
  for (const field of IMMUTABLE.get(kind) ?? []) {
    if (old[field] === undefined || canonicalJson(old[field]) === canonicalJson(now[field])) continue;
    if (kind === STATEFUL_SETS) {
      return faults.forbidden(
        'spec',
        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
      );
    }
    if (kind === PODS) {
      return faults.forbidden(
        'spec',
        'pod updates may not change fields other than `spec.containers[*].image`, `spec.initContainers[*].image`, `spec.activeDeadlineSeconds`, `spec.tolerations` (only additions to existing tolerations)',
      );
    }
    faults.invalid(`spec.${field}`, now[field], 'field is immutable');
  }
};

/** All faults of an object as the API server would name them; empty when it is accepted. */
export const validate = (
  kind: ResourceKind,
  object: KubeObject,
  before: KubeObject | null,
): StatusCause[] => {
  const faults = new Faults();
  checkMeta(kind, object, faults);
  const spec = ((object as unknown as Fields)['spec'] ?? {}) as never;
  if (kind === PODS) checkPodSpec(spec, 'spec', ['Always', 'OnFailure', 'Never'], [], faults);
  if (kind === DEPLOYMENTS || kind === REPLICA_SETS || kind === STATEFUL_SETS)
    checkTemplate(spec, ['Always'], true, faults);
  if (kind === JOBS) checkTemplate(spec, ['OnFailure', 'Never'], false, faults);
  if (kind === SERVICES) checkService(object as Service, faults);
  if (kind === NETWORK_POLICIES) checkNetworkPolicy(object, faults);
  if (before) checkImmutable(kind, before, object, faults);
  return faults.causes;
};
