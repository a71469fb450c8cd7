import type { WorkloadSpec } from '@gridbourse/events';
import type { Report } from './report.ts';

export type Dialect = WorkloadSpec['dialect'];

/** What every part of the reader needs to know of the whole manifest. */
export type Context = {
  readonly report: Report;
  readonly dialect: Dialect;
  readonly serviceNames: ReadonlySet<string>;
  /** Leased IP addresses that the manifest declares. */
  readonly endpointNames: ReadonlySet<string>;
};

/** What one replica may ask for, and what one manifest may hold. Far above the largest machine there is. */
export const LIMITS = {
  services: 64,
  profiles: 64,
  placements: 16,
  replicas: 256,
  ports: 256,
  portRange: 128,
  volumes: 32,
  env: 1_000,
  cpuMillis: 1_024_000,
  memoryMiB: 16 * 1_048_576,
  volumeMiB: 1_024 * 1_048_576,
  gpus: 64,
  imageLength: 512,
  wordLength: 32_768,
  envNameLength: 256,
  envValueLength: 131_072,
  durationSeconds: 5 * 31_536_000,
  rateMicrosPerHour: 10n ** 15n,
} as const;

/** Names become names of Kubernetes objects. */
export const DNS_LABEL = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;
