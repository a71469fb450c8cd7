import { isId, type LeaseId, type ProviderId } from '@gridbourse/kernel';
import type { KubernetesObject, LeaseTerms, ObjectOptions } from './object-types.ts';

export const LABEL_MANAGED_BY = 'app.kubernetes.io/managed-by';
export const LABEL_LEASE = 'gridbourse.dev/lease';
export const LABEL_ACCOUNT = 'gridbourse.dev/account';
export const LABEL_ORDER = 'gridbourse.dev/order';
export const LABEL_PROVIDER = 'gridbourse.dev/provider';
export const LABEL_SERVICE = 'gridbourse.dev/service';

/** `gb-lea-01k…`: always the same for a lease, so that a repeated attempt finds what an earlier one left. */
export const namespaceOf = (leaseId: LeaseId): string => `gb-${leaseId.replaceAll('_', '-')}`;

/** The lease that a namespace of ours is for; null for any other name. */
export const leaseOfNamespace = (namespace: string): LeaseId | null => {
  const leaseId = namespace.startsWith('gb-') ? namespace.slice(3).replaceAll('-', '_') : '';
  return isId('lease', leaseId) ? leaseId : null;
};

/** On every object, so that whatever is found in a cluster says whose it is. */
export const ownerLabels = (lease: LeaseTerms, options: ObjectOptions): Record<string, string> => ({
  [LABEL_MANAGED_BY]: options.managedBy,
  [LABEL_LEASE]: lease.leaseId,
  [LABEL_ACCOUNT]: lease.accountId,
  [LABEL_ORDER]: lease.orderId,
  [LABEL_PROVIDER]: lease.providerId,
});

/** FNV-1a, 32 bits in base 36: tells names apart, guards nothing. */
const shortHash = (text: string): string => {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return hash.toString(36).padStart(7, '0');
};

/**
 * A name that leaves room for what controllers put behind it: a StatefulSet's revision label takes eleven characters, an
 * indexed Job's pods up to five, and a label value holds 63.
 */
export const objectName = (service: string, suffix = ''): string => {
  const name = `${service}${suffix}`;
  return name.length <= 48 ? name : `${name.slice(0, 40).replace(/-+$/, '')}-${shortHash(name)}`;
};

/** A Kubernetes Service is a DNS-1035 label: it starts with a letter. Others in the namespace call it by this name. */
export const serviceObjectName = (service: string): string =>
  (/^[a-z]/.test(service) ? service : `s-${service}`).slice(0, 63).replace(/-+$/, '');

const providerLabel = (providerId: ProviderId): string => providerId.replaceAll('_', '-');

/** The host name under which a global HTTP port answers. The chance part of the lease id keeps tenants apart. */
export const publicHost = (
  lease: LeaseTerms,
  options: ObjectOptions,
  service: string,
  extraPort: number | null = null,
): string => {
  const front = service.slice(0, 30).replace(/-+$/, '');
  const port = extraPort === null ? '' : `-${extraPort}`;
  return `${front}${port}-${lease.leaseId.slice(-16)}.${providerLabel(lease.providerId)}.${options.ingressDomain}`;
};

/** Where ports that are not HTTP answer, at the node port that the cluster gave them. */
export const nodePortHost = (lease: LeaseTerms, options: ObjectOptions): string =>
  `${lease.leaseId.slice(-16)}.${providerLabel(lease.providerId)}.${options.ingressDomain}`;

export type Wrap = (
  kind: { apiVersion: string; kind: string },
  name: string,
  content: Record<string, unknown>,
  labels?: Record<string, string>,
) => KubernetesObject;

/** Makes objects of one lease: in its namespace, with its labels. */
export const wrapper = (lease: LeaseTerms, options: ObjectOptions): Wrap => {
  const owner = ownerLabels(lease, options);
  const namespace = namespaceOf(lease.leaseId);
  return ({ apiVersion, kind }, name, content, labels = {}) => ({
    apiVersion,
    kind,
    metadata: { name, namespace, labels: { ...owner, ...labels } },
    ...content,
  });
};
