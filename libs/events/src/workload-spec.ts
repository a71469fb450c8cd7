import { z } from 'zod';
import { micros, name, seconds } from './fields.ts';

/** What every manifest dialect becomes: the one description of a workload inside Gridbourse. Secrets are not in it. */
export const gpuRequest = z.object({
  /** Per replica. */
  count: z.int().min(1).max(64),
  vendor: z.enum(['nvidia', 'amd']),
  /** Any of these will do; empty means any model of the vendor. `model` is a catalogue id such as `rtx4090`. */
  models: z.array(
    z.object({
      model: z.string().min(1).max(60),
      vramMiB: z.int().min(1).nullable(),
      interface: z.enum(['pcie', 'sxm']).nullable(),
    }),
  ),
});

export const volume = z.object({
  name: z.string().min(1).max(63),
  sizeMiB: z.int().min(1),
  /** Where the container sees it; null for the root (ephemeral) disk. */
  mountPath: z.string().max(1024).nullable(),
  readOnly: z.boolean(),
  /** `ephemeral` dies with the pod, `ram` is memory, `persistent` outlives a restart of the pod. */
  kind: z.enum(['ephemeral', 'ram', 'persistent']),
  /** The provider's storage class, for persistent volumes: `beta1`, `beta2`, `beta3`, `default`. */
  storageClass: z.string().max(63).nullable(),
});

export const exposedPort = z.object({
  containerPort: z.int().min(1).max(65_535),
  servicePort: z.int().min(1).max(65_535),
  protocol: z.enum(['tcp', 'udp', 'http']),
  /** Reachable from the internet. */
  global: z.boolean(),
  /** Services of the same workload that may connect; names. */
  services: z.array(z.string()),
  /** Host names the tenant wants for it. */
  hosts: z.array(z.string().max(253)),
});

export const serviceSpec = z.object({
  name: z
    .string()
    .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/)
    .max(63),
  image: z.string().min(1).max(512),
  imagePullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']).nullable(),
  /** The image needs credentials, which travel sealed. */
  privateImage: z.boolean(),
  /** Replaces the image's entry point; empty keeps it. */
  command: z.array(z.string().max(32_768)),
  args: z.array(z.string().max(32_768)),
  /** Names only: the values travel sealed. */
  envNames: z.array(z.string().min(1).max(256)),
  ports: z.array(exposedPort),
  replicas: z.int().min(1).max(256),
  resources: z.object({
    cpuMillis: z.int().min(1),
    memoryMiB: z.int().min(1),
    gpu: gpuRequest.nullable(),
    volumes: z.array(volume),
  }),
  /** The most the tenant pays for one replica, micro-USDC per hour. */
  maxRateMicrosPerHour: micros,
});

/** Services that are placed together, at one provider, under one lease. */
export const placementGroup = z.object({
  name: name,
  /** Region ids that will do; empty means anywhere. */
  regions: z.array(z.string().min(1).max(40)),
  /** Provider attributes that must be equal. */
  attributes: z.record(z.string(), z.string()),
  /** Worst tier that will do, 1 (best) to 7. */
  tierFloor: z.int().min(1).max(7),
  services: z.array(serviceSpec).min(1).max(64),
});

export const workloadSpec = z.object({
  dialect: z.enum(['akash-sdl', 'spheron-icl']),
  dialectVersion: z.string().max(10),
  name: name,
  /** `service` runs until it is ended; `job` runs to completion and then ends its lease. */
  run: z.enum(['service', 'job']),
  durationSeconds: seconds.min(1),
  groups: z.array(placementGroup).min(1).max(16),
});

export type GpuRequest = z.output<typeof gpuRequest>;
export type VolumeSpec = z.output<typeof volume>;
export type ExposedPort = z.output<typeof exposedPort>;
export type ServiceSpec = z.output<typeof serviceSpec>;
export type PlacementGroup = z.output<typeof placementGroup>;
export type WorkloadSpec = z.output<typeof workloadSpec>;

/** What is sealed beside a spec: values by service name. */
export const workloadSecrets = z.object({
  services: z.record(
    z.string(),
    z.object({
      env: z.record(z.string(), z.string().max(131_072)),
      imageCredentials: z
        .object({
          server: z.string().max(253),
          username: z.string().max(256),
          password: z.string().max(4096),
        })
        .nullable(),
    }),
  ),
});
export type WorkloadSecrets = z.output<typeof workloadSecrets>;

/** Sums over all replicas of a group. */
export const groupTotals = (group: PlacementGroup) => {
  const totals = { gpus: 0, cpuMillis: 0, memoryMiB: 0, storageMiB: 0, maxRateMicrosPerHour: 0n };
  for (const service of group.services) {
    const { resources, replicas } = service;
    totals.gpus += replicas * (resources.gpu?.count ?? 0);
    totals.cpuMillis += replicas * resources.cpuMillis;
    totals.memoryMiB += replicas * resources.memoryMiB;
    for (const volume of resources.volumes) {
      // A ram volume counts against the memory that its service already asks for.
      if (volume.kind !== 'ram') totals.storageMiB += replicas * volume.sizeMiB;
    }
    totals.maxRateMicrosPerHour += BigInt(replicas) * service.maxRateMicrosPerHour;
  }
  return totals;
};
