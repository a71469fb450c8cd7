import { z } from 'zod';
import { micros, name, seconds } from './fields.ts';

/**
 * How a tenant will have its GPUs. `shared` has no isolation of memory or faults between tenants, so it is never given to
 * who did not ask for it.
 */
export const gpuSharingRequest = z
  .discriminatedUnion('mode', [
    z.object({ mode: z.literal('whole') }).describe('Whole GPUs.'),
    z.object({ mode: z.literal('mig') }).describe('Hardware slices; which, is said model by model.'),
    z
      .object({
        mode: z.literal('shared'),
        milli: z.int().min(1).max(1_000).describe('Thousandths of one GPU: at least so much each.'),
      })
      .describe('Time slices of a GPU that other tenants use too.'),
  ])
  .describe('What one of the `count` GPUs is.');

/** A profile of NVIDIA's Multi-Instance GPU: compute slices and memory, `+me` with media engines. */
export const migProfile = z
  .string()
  .regex(/^[1-9]g\.[1-9]\d{0,2}gb(\+me)?$/)
  .describe('A MIG profile such as `1g.10gb`.');

const modelRequest = z.object({
  model: z.string().min(1).max(60).describe('A catalogue id such as `rtx4090`.'),
  vramMiB: z.int().min(1).nullable(),
  interface: z.enum(['pcie', 'sxm']).nullable(),
  migProfile: migProfile.nullable().describe('Null: any, or no MIG.'),
});

const ANY_OF_THESE = 'Any of these will do; empty means any model of the vendor.';

/** What every manifest dialect becomes: the one description of a workload inside Gridbourse. Secrets are not in it. */
export const gpuRequest = z.object({
  count: z.int().min(1).max(64).describe('Per replica.'),
  vendor: z.enum(['nvidia', 'amd']),
  sharing: gpuSharingRequest,
  models: z.array(modelRequest).describe(ANY_OF_THESE),
});

export const volume = z.object({
  name: z.string().min(1).max(63),
  sizeMiB: z.int().min(1),
  mountPath: z
    .string()
    .max(1024)
    .nullable()
    .describe('Where the container sees it; null for the root (ephemeral) disk.'),
  readOnly: z.boolean(),
  kind: z
    .enum(['ephemeral', 'ram', 'persistent'])
    .describe('`ephemeral` dies with the pod, `ram` is memory, `persistent` outlives a restart of the pod.'),
  storageClass: z
    .string()
    .max(63)
    .nullable()
    .describe("The provider's storage class, for persistent volumes: `beta1`, `beta2`, `beta3`, `default`."),
});

export const exposedPort = z.object({
  containerPort: z.int().min(1).max(65_535),
  servicePort: z.int().min(1).max(65_535),
  protocol: z.enum(['tcp', 'udp', 'http']),
  global: z.boolean().describe('Reachable from the internet.'),
  services: z.array(z.string()).describe('Services of the same workload that may connect; names.'),
  hosts: z.array(z.string().max(253)).describe('Host names the tenant wants for it.'),
});

export const serviceSpec = z.object({
  name: z
    .string()
    .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/)
    .max(63),
  image: z.string().min(1).max(512),
  imagePullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']).nullable(),
  privateImage: z.boolean().describe('The image needs credentials, which travel sealed.'),
  command: z.array(z.string().max(32_768)).describe("Replaces the image's entry point; empty keeps it."),
  args: z.array(z.string().max(32_768)),
  envNames: z.array(z.string().min(1).max(256)).describe('Names only: the values travel sealed.'),
  ports: z.array(exposedPort),
  replicas: z.int().min(1).max(256),
  resources: z.object({
    cpuMillis: z.int().min(1).describe('Thousandths of a core.'),
    memoryMiB: z.int().min(1),
    gpu: gpuRequest.nullable(),
    volumes: z.array(volume),
  }),
  maxRateMicrosPerHour: micros.describe('The most the tenant pays for one replica, micro-USDC per hour.'),
});

/** Networks between machines, slowest first: each does for whoever asks for one before it. */
export const INTERCONNECTS = ['ethernet', 'roce', 'infiniband', 'nvlink'] as const;
export const interconnect = z
  .enum(INTERCONNECTS)
  .describe('The network between machines: `roce` and `infiniband` with RDMA, `nvlink` across machines.');

const group = z.object({
  name: name,
  regions: z.array(z.string().min(1).max(40)).describe('Region ids that will do; empty means anywhere.'),
  attributes: z.record(z.string(), z.string()).describe('Provider attributes that must be equal.'),
  tierFloor: z.int().min(1).max(7).describe('Worst tier that will do, 1 (best) to 7.'),
  services: z.array(serviceSpec).min(1).max(64),
});

/** Services that are placed together, under one lease, or under one a provider where they may be divided. */
export const placementGroup = group.extend({
  interconnect: interconnect
    .nullable()
    .describe('The slowest network between machines that will do; null: any.'),
  maxProviders: z
    .int()
    .min(1)
    .max(16)
    .describe('Among how many providers of one region its replicas may be divided; 1 keeps them together.'),
});

const spec = z.object({
  dialect: z.enum(['akash-sdl', 'spheron-icl']),
  dialectVersion: z.string().max(10),
  name: name,
  run: z
    .enum(['service', 'job'])
    .describe('`service` runs until it is ended; `job` runs to completion and then ends its lease.'),
  durationSeconds: seconds.min(1),
});

export const workloadSpec = spec.extend({ groups: z.array(placementGroup).min(1).max(16) });

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
