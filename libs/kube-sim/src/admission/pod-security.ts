import type { Container, Fields, Namespace, Pod } from '../objects.ts';
import { forbidden } from '../api/status.ts';
import { NAMESPACES, PODS } from '../kinds.ts';
import type { ObjectStore } from '../storage/store.ts';

const RESTRICTED_VOLUMES = new Set([
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'persistentVolumeClaim',
  'projected',
  'secret',
]);

const baseline = (pod: Pod, containers: readonly Container[]): string[] => {
  const faults: string[] = [];
  const { spec } = pod;
  if (spec.hostNetwork || spec.hostPID || spec.hostIPC)
    faults.push('host namespaces (hostNetwork, hostPID or hostIPC=true)');
  const host = (spec.volumes ?? []).filter((volume) => volume.hostPath);
  if (host.length > 0) faults.push(`hostPath volumes (volume "${host[0]!.name}")`);
  for (const { name, securityContext: context } of containers) {
    if (context?.['privileged'] === true) {
      faults.push(`privileged (container "${name}" must not set securityContext.privileged=true)`);
    }
    const added = ((context?.['capabilities'] as Fields | undefined)?.['add'] ?? []) as string[];
    const allowed = [
      'AUDIT_WRITE',
      'CHOWN',
      'DAC_OVERRIDE',
      'FOWNER',
      'FSETID',
      'KILL',
      'MKNOD',
      'NET_BIND_SERVICE',
      'SETFCAP',
      'SETGID',
      'SETPCAP',
      'SETUID',
      'SYS_CHROOT',
    ];
    if (added.some((each) => !allowed.includes(each))) {
      faults.push(
        `non-default capabilities (container "${name}" must not include "${added.join('", "')}" in securityContext.capabilities.add)`,
      );
    }
  }
  return faults;
};

const restricted = (pod: Pod, containers: readonly Container[]): string[] => {
  const faults: string[] = [];
  const podContext = pod.spec.securityContext;
  for (const { name, securityContext: context } of containers) {
    const dropped = ((context?.['capabilities'] as Fields | undefined)?.['drop'] ?? []) as string[];
    if (context?.['allowPrivilegeEscalation'] !== false) {
      faults.push(
        `allowPrivilegeEscalation != false (container "${name}" must set securityContext.allowPrivilegeEscalation=false)`,
      );
    }
    if (!dropped.includes('ALL')) {
      faults.push(
        `unrestricted capabilities (container "${name}" must set securityContext.capabilities.drop=["ALL"])`,
      );
    }
    if ((context?.['runAsNonRoot'] ?? podContext?.['runAsNonRoot']) !== true) {
      faults.push(
        `runAsNonRoot != true (pod or container "${name}" must set securityContext.runAsNonRoot=true)`,
      );
    }
    const profile = (context?.['seccompProfile'] ?? podContext?.['seccompProfile']) as Fields | undefined;
    if (profile?.['type'] !== 'RuntimeDefault' && profile?.['type'] !== 'Localhost') {
      faults.push(
        `seccompProfile (pod or container "${name}" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")`,
      );
    }
  }
  for (const { name, ...sources } of pod.spec.volumes ?? []) {
    const kinds = Object.keys(sources);
    if (kinds.some((each) => !RESTRICTED_VOLUMES.has(each))) {
      faults.push(
        `restricted volume types (volume "${name}" uses restricted volume type "${kinds.join('", "')}")`,
      );
    }
  }
  return faults;
};

/**
 * Pod security admission by the namespace's `pod-security.kubernetes.io/enforce` label.
 * @throws ApiError 403
 */
export const checkPodSecurity = (store: ObjectStore, pod: Pod): void => {
  const namespace = store.get<Namespace>(NAMESPACES, undefined, pod.metadata.namespace!);
  const level = namespace?.metadata.labels?.['pod-security.kubernetes.io/enforce'];
  if (level !== 'baseline' && level !== 'restricted') return;
  const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
  const faults = baseline(pod, containers);
  if (level === 'restricted') faults.push(...restricted(pod, containers));
  if (faults.length > 0) {
    throw forbidden(PODS, pod.metadata.name, `violates PodSecurity "${level}:latest": ${faults.join(', ')}`);
  }
};
