import type {
  GpuRequest,
  GpuSharing,
  OfferPublished,
  PlacementGroup,
  ProviderEvent,
  ServiceSpec,
  WorkloadSpec,
} from '@gridbourse/events';
import {
  type AccountId,
  idFromDigest,
  type IdKind,
  type Id,
  type LeaseId,
  parseUsdc,
} from '@gridbourse/kernel';
import { createHash } from 'node:crypto';
import type { Circumstances, Policies } from '../src/domain/process/unit-of-work.ts';
import type { Submission } from '../src/domain/process/tenant.ts';
import type { MatchRequest } from '../src/domain/requirements.ts';

/** The same word always names the same thing: `idOf('order', 'first')`. */
export const idOf = <K extends IdKind>(kind: K, word: string): Id<K> =>
  idFromDigest(kind, createHash('sha256').update(`${kind}/${word}`).digest('hex'));

export const TENANT: AccountId = idOf('account', 'tenant');
export const TENANT_WALLET = `0x${'a1'.repeat(20)}`;
export const NOON = Date.UTC(2026, 10, 24, 12);
const MiB_PER_GiB = 1_024;

export const refOf = (leaseId: LeaseId): string => `0x${createHash('sha256').update(leaseId).digest('hex')}`;

export const policies: Policies = {
  acceptWithinMs: 60_000,
  fundWithinMs: 120_000,
  refundWithinMs: 300_000,
  fundingRetryMs: 15_000,
  maxOpenOrders: 50,
  maxOpenLeases: 100,
  rematchAtOnce: 100,
  bidValidMs: 600_000,
  maxBidsPerOrder: 100,
  maxBidsPerProvider: 10,
};

/** Lease ids count up, so that a test can name them: `leaseNumber(1)` is the first. */
export const leaseNumber = (n: number): LeaseId => `lea_${String(n).padStart(26, '0')}`;

export const circumstancesFrom = (start = NOON): Circumstances & { now: number } => {
  let leases = 0;
  return {
    now: start,
    newLeaseId: () => leaseNumber((leases += 1)),
    policies,
  };
};

type ProviderOptions = {
  tier?: number;
  region?: string;
  location?: { latitude: number; longitude: number };
  attributes?: Record<string, string>;
  accountId?: AccountId;
};

/** The words of the registry that make a provider ready to be matched, in their order. */
export const readyProvider = (word: string, options: ProviderOptions = {}): ProviderEvent[] => {
  const providerId = idOf('provider', word);
  const tier = options.tier ?? 3;
  return [
    {
      type: 'ProviderRegistered',
      providerId,
      accountId: options.accountId ?? idOf('account', `owner of ${word}`),
      wallet: `0x${createHash('sha256').update(word).digest('hex').slice(0, 40)}`,
      name: word,
      place: {
        region: options.region ?? 'eu-west',
        country: 'DE',
        city: 'Frankfurt',
        location: options.location ?? { latitude: 50.11, longitude: 8.68 },
      },
      attributes: options.attributes ?? {},
      registeredAtMs: NOON,
    },
    {
      type: 'ProviderActivated',
      providerId,
      chainProviderId: 1 + (parseInt(providerId.slice(-4), 36) % 60_000),
      stakeMicros: parseUsdc('1000'),
      activatedAtMs: NOON,
    },
    { type: 'TierChanged', providerId, from: 4, to: tier, atMs: NOON },
    { type: 'ProviderOnline', providerId, atMs: NOON },
  ];
};

export type NodeShape = { gpus: number; cpu?: number; memoryGiB?: number; storageGiB?: number };

type OfferOptions = {
  model?: string | null;
  vramGiB?: number;
  interface?: 'pcie' | 'sxm';
  vendor?: 'nvidia' | 'amd';
  nodes?: NodeShape[];
  /** What its machines are called, with a number behind; two offers of a provider that call them alike share them. */
  machines?: string;
  perGpu?: string;
  autoAccept?: boolean;
  minSeconds?: number;
  maxSeconds?: number;
  storageClasses?: string[];
  interconnect?: OfferPublished['interconnect'];
  sharing?: GpuSharing;
  revision?: number;
};

export const offerPublished = (
  provider: string,
  word: string,
  options: OfferOptions = {},
): OfferPublished => ({
  type: 'OfferPublished',
  providerId: idOf('provider', provider),
  offerId: idOf('offer', word),
  revision: options.revision ?? 1,
  gpu:
    options.model === null
      ? null
      : {
          model: options.model ?? 'rtx4090',
          vendor: options.vendor ?? 'nvidia',
          vramMiB: (options.vramGiB ?? 24) * MiB_PER_GiB,
          interface: options.interface ?? 'pcie',
          sharing: options.sharing ?? { mode: 'whole' },
        },
  nodes: (options.nodes ?? [{ gpus: 4 }]).map((node, i) => ({
    name: `${options.machines ?? 'node'}-${i + 1}`,
    gpus: node.gpus,
    cpuMillis: (node.cpu ?? 64) * 1_000,
    memoryMiB: (node.memoryGiB ?? 256) * MiB_PER_GiB,
    storageMiB: (node.storageGiB ?? 2_000) * MiB_PER_GiB,
  })),
  price: {
    perGpu: options.model === null ? 0n : parseUsdc(options.perGpu ?? '0.40'),
    perCpuCore: 1_000n,
    perMemoryGiB: 139n,
    perStorageGiB: 14n,
  },
  policy: {
    autoAccept: options.autoAccept ?? true,
    minDurationSeconds: options.minSeconds ?? 0,
    maxDurationSeconds: options.maxSeconds ?? 2_592_000,
  },
  storageClasses: options.storageClasses ?? ['default', 'beta3'],
  interconnect: options.interconnect ?? 'ethernet',
  publishedAtMs: NOON,
});

type ServiceOptions = {
  gpus?: number;
  models?: {
    model: string;
    vramMiB?: number | null;
    interface?: 'pcie' | 'sxm' | null;
    migProfile?: string | null;
  }[];
  sharing?: GpuRequest['sharing'];
  vendor?: 'nvidia' | 'amd';
  replicas?: number;
  cpuMillis?: number;
  memoryMiB?: number;
  storageMiB?: number;
  maxRate?: string;
  storageClass?: string | null;
};

export const service = (name: string, options: ServiceOptions = {}): ServiceSpec => ({
  name,
  image: 'registry.example/app:1',
  imagePullPolicy: null,
  privateImage: false,
  command: [],
  args: [],
  envNames: [],
  ports: [],
  replicas: options.replicas ?? 1,
  resources: {
    cpuMillis: options.cpuMillis ?? 4_000,
    memoryMiB: options.memoryMiB ?? 8_192,
    gpu:
      (options.gpus ?? 1) === 0
        ? null
        : {
            count: options.gpus ?? 1,
            vendor: options.vendor ?? 'nvidia',
            sharing: options.sharing ?? { mode: 'whole' },
            models: (options.models ?? [{ model: 'rtx4090' }]).map((entry) => ({
              vramMiB: null,
              interface: null,
              migProfile: null,
              ...entry,
            })),
          },
    volumes: [
      {
        name: 'root',
        sizeMiB: options.storageMiB ?? 10_240,
        mountPath: null,
        readOnly: false,
        kind: options.storageClass === undefined ? 'ephemeral' : 'persistent',
        storageClass: options.storageClass ?? null,
      },
    ],
  },
  maxRateMicrosPerHour: parseUsdc(options.maxRate ?? '1'),
});

export const group = (
  name: string,
  services: ServiceSpec[],
  options: Partial<Omit<PlacementGroup, 'name' | 'services'>> = {},
): PlacementGroup => ({
  name,
  regions: [],
  attributes: {},
  tierFloor: 7,
  interconnect: null,
  maxProviders: 1,
  services,
  ...options,
});

export const specOf = (groups: PlacementGroup[], options: Partial<WorkloadSpec> = {}): WorkloadSpec => ({
  dialect: 'akash-sdl',
  dialectVersion: '2.0',
  name: 'test',
  run: 'service',
  durationSeconds: 3_600,
  groups,
  ...options,
});

const budgetOf = (spec: WorkloadSpec): bigint =>
  spec.groups
    .flatMap((one) => one.services)
    .reduce((sum, one) => sum + BigInt(one.replicas) * one.maxRateMicrosPerHour, 0n);

export const requestFor = (
  groups: PlacementGroup[],
  options: Partial<MatchRequest> & { spec?: never; durationSeconds?: number } = {},
): MatchRequest => {
  const { durationSeconds, ...rest } = options;
  const spec = specOf(groups, durationSeconds === undefined ? {} : { durationSeconds });
  return {
    orderId: idOf('order', 'request'),
    spec,
    maxRateMicrosPerHour: budgetOf(spec),
    profile: 'balanced',
    near: null,
    includeProviders: [],
    excludeProviders: [],
    declinedBy: [],
    ...rest,
  };
};

export const submission = (
  word: string,
  groups: PlacementGroup[],
  options: Partial<Submission> & { run?: 'service' | 'job'; durationSeconds?: number } = {},
): Submission => {
  const { run, durationSeconds, ...rest } = options;
  const spec = specOf(groups, { ...(run ? { run } : {}), ...(durationSeconds ? { durationSeconds } : {}) });
  return {
    orderId: idOf('order', word),
    accountId: TENANT,
    tenantWallet: TENANT_WALLET,
    spec,
    secrets: null,
    maxRateMicrosPerHour: budgetOf(spec),
    profile: 'balanced',
    weights: null,
    workloadClass: 'general',
    near: null,
    includeProviders: [],
    excludeProviders: [],
    expiresAtMs: NOON + 3_600_000,
    warnings: [],
    requestHash: word,
    ...rest,
  };
};
