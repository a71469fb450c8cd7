import type { GpuRequest, ServiceSpec, WorkloadSpec } from '@gridbourse/events';
import { findGpu, regions } from '@gridbourse/catalog';
import { newId, nextInt, parseUsdc, type Random } from '@gridbourse/kernel';
import type { MatchRequest } from '@gridbourse/matchmaker/matching';

const START_MS = 1_790_000_000_000;
const ASKED = ['rtx4090', 'h100', 'a100', 'rtx3090', 'l40s', 'rtxa6000', 'a10', 't4', 'v100', 'h200'];

const pick = <T>(random: Random, all: readonly T[]): T => all[nextInt(random, all.length)]!;

const nvidia = (models: readonly string[], count: number): GpuRequest => ({
  count,
  vendor: 'nvidia',
  sharing: { mode: 'whole' },
  models: models.map((model) => ({ model, vramMiB: null, interface: null, migProfile: null })),
});

export const serviceOf = (gpu: GpuRequest | null, replicas: number, maxRate: string): ServiceSpec => ({
  name: 'worker',
  image: 'registry.example/worker:1',
  imagePullPolicy: null,
  privateImage: false,
  command: [],
  args: [],
  envNames: [],
  ports: [],
  replicas,
  resources: {
    cpuMillis: 4_000 * Math.max(1, gpu?.count ?? 1),
    memoryMiB: 16_384 * Math.max(1, gpu?.count ?? 1),
    gpu,
    volumes: [
      {
        name: 'root',
        sizeMiB: 20_480,
        mountPath: null,
        readOnly: false,
        kind: 'ephemeral',
        storageClass: null,
      },
    ],
  },
  maxRateMicrosPerHour: parseUsdc(maxRate),
});

export const specOf = (
  services: ServiceSpec[],
  group: Partial<WorkloadSpec['groups'][number]> = {},
): WorkloadSpec => ({
  dialect: 'akash-sdl',
  dialectVersion: '2.0',
  name: 'bench',
  run: 'job',
  durationSeconds: 3_600,
  groups: [
    {
      name: 'main',
      regions: [],
      attributes: {},
      tierFloor: 7,
      interconnect: null,
      maxProviders: 1,
      services,
      ...group,
    },
  ],
});

export const requestOf = (
  random: Random,
  spec: WorkloadSpec,
  more: Partial<MatchRequest> = {},
): MatchRequest => ({
  orderId: newId('order', START_MS, random),
  spec,
  maxRateMicrosPerHour: spec.groups
    .flatMap(({ services }) => services)
    .reduce((sum, one) => sum + BigInt(one.replicas) * one.maxRateMicrosPerHour, 0n),
  profile: 'balanced',
  near: null,
  includeProviders: [],
  excludeProviders: [],
  declinedBy: [],
  ...more,
});

const PROFILES = ['1g.10gb', '2g.20gb', '3g.40gb'];

/** A twentieth asks for slices of A100 or H100, half of them of one profile; a twentieth for slots of any GPU or one model. */
const inParts = (random: Random): GpuRequest | null => {
  const lot = random.next();
  if (lot >= 0.1) return null;
  const count = pick(random, [1, 1, 2]);
  if (lot < 0.05) {
    const migProfile = random.next() < 0.5 ? pick(random, PROFILES) : null;
    const models = nvidia(['a100', 'h100'], count).models.map((entry) => ({ ...entry, migProfile }));
    return { ...nvidia([], count), sharing: { mode: 'mig' }, models };
  }
  const milli = pick(random, [100, 250, 500]);
  return { ...nvidia(lot < 0.075 ? [] : [pick(random, ASKED)], count), sharing: { mode: 'shared', milli } };
};

/**
 * One replica with GPUs, asked for as tenants do: mostly by model, a fifth for any of three, a tenth for whatever there is;
 * a tenth in parts of GPUs; a third in given regions, half from a given place, a third with a floor under the tier, a tenth
 * with an attribute, a tenth with a network that is not the slowest.
 */
export const randomOrder = (random: Random): MatchRequest => {
  const kind = random.next();
  const models =
    kind < 0.7
      ? [pick(random, ASKED)]
      : kind < 0.9
        ? [pick(random, ASKED), pick(random, ASKED), pick(random, ASKED)]
        : [];
  const count = pick(random, [1, 1, 1, 2, 4, 8]);
  const vendor = models.length > 0 ? findGpu(models[0]!)!.vendor : 'nvidia';
  const gpu = inParts(random) ?? { ...nvidia([...new Set(models)], count), vendor };
  const spec = specOf([serviceOf(gpu, 1, String(gpu.count * pick(random, [1, 2, 5])))], {
    regions: random.next() < 0.33 ? [pick(random, regions).id, pick(random, regions).id] : [],
    tierFloor: random.next() < 0.33 ? 3 : 7,
    attributes: random.next() < 0.1 ? { network: '100g' } : {},
    interconnect: random.next() < 0.1 ? pick(random, ['roce', 'infiniband'] as const) : null,
  });
  const { location } = pick(random, regions);
  return requestOf(random, spec, {
    profile: pick(random, ['cheapest', 'balanced', 'balanced', 'fastest', 'nearest'] as const),
    near: random.next() < 0.5 ? location : null,
  });
};
