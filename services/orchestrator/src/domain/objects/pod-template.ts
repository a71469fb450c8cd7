import type { ServiceSpec, WorkloadSecrets } from '@gridbourse/events';
import { gangVariables } from './gang.ts';
import { type GpuUnit, gpuUnit, WHOLE_GPUS } from './gpu-units.ts';
import { LABEL_SERVICE, ownerLabels } from './names.ts';
import type { LeaseTerms, ObjectOptions } from './object-types.ts';
import { envKey, envSecretName, hasRegistrySecret, registrySecretName } from './secrets.ts';
import { ephemeralMiB, volumeParts } from './volumes.ts';

type Part = Record<string, unknown>;

/**
 * What root in an ordinary image needs to set itself up (own files, become another user, take a low port). All are in
 * the list that the `baseline` pod security standard allows to add.
 */
const BASELINE_CAPABILITIES = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'NET_BIND_SERVICE',
  'SETGID',
  'SETUID',
  'SYS_CHROOT',
];

const containerSecurity = ({ hardening }: ObjectOptions): Part => ({
  allowPrivilegeEscalation: false,
  privileged: false,
  capabilities: {
    drop: ['ALL'],
    ...(hardening === 'baseline' ? { add: BASELINE_CAPABILITIES } : {}),
  },
  ...(hardening === 'restricted' ? { runAsNonRoot: true } : {}),
});

const resourcesOf = (service: ServiceSpec, unit: GpuUnit | null): Part => {
  const { cpuMillis, memoryMiB, gpu } = service.resources;
  const diskMiB = ephemeralMiB(service);
  const amounts = {
    cpu: `${cpuMillis}m`,
    memory: `${memoryMiB}Mi`,
    ...(diskMiB > 0 ? { 'ephemeral-storage': `${diskMiB}Mi` } : {}),
    ...(gpu && unit ? { [unit.resource]: `${gpu.count}` } : {}),
  };
  // Requests equal limits: a tenant has what it pays for, no less when neighbours are busy and no more when not.
  return { requests: amounts, limits: amounts };
};

const portsOf = (service: ServiceSpec): Part[] => {
  const seen = new Set<string>();
  return service.ports.flatMap(({ containerPort, protocol }) => {
    const transport = protocol === 'udp' ? 'UDP' : 'TCP';
    const key = `${containerPort}/${transport}`;
    if (seen.has(key)) return [];
    seen.add(key);
    return [{ containerPort, protocol: transport }];
  });
};

const environmentOf = (lease: LeaseTerms, service: ServiceSpec, before: number): Part[] => [
  ...service.envNames.map((name, index) => ({
    name,
    valueFrom: { secretKeyRef: { name: envSecretName(service.name), key: envKey(service, index) } },
  })),
  ...gangVariables(lease, service, before),
];

/**
 * Pins the pod to the machine that the book placed it on, and, where labels say what GPUs that machine has and how it
 * divides them, to a machine that says so.
 */
const affinityOf = (node: string, unit: GpuUnit | null, { nodes }: ObjectOptions): Part => ({
  nodeAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: [
        {
          matchExpressions: [
            { key: 'kubernetes.io/hostname', operator: 'In', values: [nodes[node]?.hostname ?? node] },
            ...(unit?.requirements ?? []),
          ],
        },
      ],
    },
  },
});

/** GPU machines are mostly tainted by the name of whole GPUs, or else by that of what they have. */
const tolerationsOf = (vendor: keyof typeof WHOLE_GPUS, { resource }: GpuUnit): Part[] =>
  [...new Set([WHOLE_GPUS[vendor], resource])].map((key) => ({
    key,
    operator: 'Exists',
    effect: 'NoSchedule',
  }));

export type PodTemplate = { template: Part; claimTemplates: Part[]; labels: Record<string, string> };

/**
 * @param placed.before replicas of the service that the machines before this one have
 * @param placed.claims the pod belongs to a StatefulSet, which makes claims of its own
 * @throws DomainError `gpu_mismatch`
 */
export const podTemplate = (
  lease: LeaseTerms,
  service: ServiceSpec,
  secrets: WorkloadSecrets | null,
  options: ObjectOptions,
  placed: { node: string; before: number; controller: string; claims: boolean },
): PodTemplate => {
  const owner = ownerLabels(lease, options);
  const parts = volumeParts(service, { ...options, claims: placed.claims, labels: owner });
  const labels = { ...owner, [LABEL_SERVICE]: service.name, 'gridbourse.dev/controller': placed.controller };
  const { gpu } = service.resources;
  const unit = gpu && gpuUnit(lease, gpu, placed.node, options.nodes[placed.node]);
  const environment = environmentOf(lease, service, placed.before);
  const spec: Part = {
    restartPolicy: lease.run === 'job' ? 'Never' : 'Always',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: options.terminationGraceSeconds,
    securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
    affinity: affinityOf(placed.node, unit, options),
    ...(gpu && unit ? { tolerations: tolerationsOf(gpu.vendor, unit) } : {}),
    ...(options.userNamespaces ? { hostUsers: false } : {}),
    ...(options.runtimeClassName === null ? {} : { runtimeClassName: options.runtimeClassName }),
    ...(options.priorityClassName === null ? {} : { priorityClassName: options.priorityClassName }),
    ...(hasRegistrySecret(service, secrets)
      ? { imagePullSecrets: [{ name: registrySecretName(service.name) }] }
      : {}),
    containers: [
      {
        name: service.name,
        image: service.image,
        ...(service.imagePullPolicy === null ? {} : { imagePullPolicy: service.imagePullPolicy }),
        ...(service.command.length > 0 ? { command: service.command } : {}),
        ...(service.args.length > 0 ? { args: service.args } : {}),
        ...(environment.length > 0 ? { env: environment } : {}),
        ...(service.ports.length > 0 ? { ports: portsOf(service) } : {}),
        resources: resourcesOf(service, unit),
        securityContext: containerSecurity(options),
        ...(parts.mounts.length > 0 ? { volumeMounts: parts.mounts } : {}),
      },
    ],
    ...(parts.volumes.length > 0 ? { volumes: parts.volumes } : {}),
  };
  return { template: { metadata: { labels }, spec }, claimTemplates: parts.claimTemplates, labels };
};
