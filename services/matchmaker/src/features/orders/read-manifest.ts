import { parseManifest, type ManifestWarning } from '@gridbourse/manifest';
import type { WorkloadSecrets, WorkloadSpec } from '@gridbourse/events';
import { invalid, lockMicros, MAX_MICROS, type Micros, parseUsdc, type ProviderId } from '@gridbourse/kernel';
import { groupBudget } from '../../domain/pricing.ts';
import type { MatchRequest } from '../../domain/requirements.ts';
import type { MatchmakerConfig } from '../../matchmaker.config.ts';
import type { ManifestRequest } from './order-request.ts';

export type ReadRequest = {
  readonly wishes: Omit<MatchRequest, 'orderId' | 'declinedBy'>;
  /** To be sealed at once; never stored or logged as it is. */
  readonly secrets: WorkloadSecrets | null;
  readonly warnings: readonly ManifestWarning[];
};

/** An event must fit into a record of the bus, with the sealed secrets beside the spec. */
const MAX_SPEC_BYTES = 400_000;

const bytesOf = (spec: WorkloadSpec): number =>
  Buffer.byteLength(
    JSON.stringify(spec, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value)),
  );

const check = (spec: WorkloadSpec, maxRate: Micros, config: MatchmakerConfig): void => {
  if (spec.durationSeconds > config.maxDurationSeconds) {
    throw invalid('duration_too_long', `the longest duration is ${config.maxDurationSeconds} s`, [
      { pointer: '/durationSeconds', message: `expected at most ${config.maxDurationSeconds}` },
    ]);
  }
  if (lockMicros(maxRate, BigInt(spec.durationSeconds)) > MAX_MICROS) {
    throw invalid('budget_too_large', 'rate x duration is more than the contract can hold', [
      { pointer: '/maxRateUsdcPerHour', message: 'expected a lower rate or a shorter duration' },
    ]);
  }
  if (bytesOf(spec) > MAX_SPEC_BYTES) {
    throw invalid(
      'manifest_too_large',
      `what the manifest describes is larger than ${MAX_SPEC_BYTES} bytes`,
      [{ pointer: '/manifest', message: 'expected shorter commands and arguments' }],
    );
  }
};

/** The request's word on dividing is on every group; without it each keeps what its manifest says. */
const dividedAmong = (spec: WorkloadSpec, maxProviders: number | undefined): WorkloadSpec =>
  maxProviders === undefined
    ? spec
    : { ...spec, groups: spec.groups.map((group) => ({ ...group, maxProviders })) };

/**
 * Reads a request's manifest into what matching needs.
 * @throws DomainError `invalid_manifest` with the line, column and path of every fault, and this service's own limits.
 */
export const readRequest = (request: ManifestRequest, config: MatchmakerConfig): ReadRequest => {
  const maxRate =
    request.maxRateUsdcPerHour === undefined ? undefined : parseUsdc(request.maxRateUsdcPerHour);
  const {
    spec: read,
    secrets,
    warnings,
  } = parseManifest(request.manifest, {
    ...(request.run === undefined ? {} : { run: request.run }),
    ...(request.durationSeconds === undefined ? {} : { durationSeconds: request.durationSeconds }),
    ...(maxRate === undefined ? {} : { maxRateMicrosPerHour: maxRate }),
    ...(request.regions === undefined ? {} : { regions: request.regions }),
    ...(request.tierFloor === undefined ? {} : { tierFloor: request.tierFloor }),
  });
  const spec = dividedAmong(read, request.maxProviders);
  const maxRateMicrosPerHour = maxRate ?? spec.groups.reduce((sum, group) => sum + groupBudget(group), 0n);
  check(spec, maxRateMicrosPerHour, config);
  return {
    wishes: {
      spec,
      maxRateMicrosPerHour,
      profile: request.profile,
      ...(request.weights === undefined ? {} : { weights: request.weights }),
      ...(request.workloadClass === undefined ? {} : { workload: request.workloadClass }),
      near: request.near ?? null,
      includeProviders: request.includeProviders as ProviderId[],
      excludeProviders: request.excludeProviders as ProviderId[],
    },
    secrets,
    warnings,
  };
};

/** A warning as one line for people. */
export const warningText = (warning: { message: string; line: number; column: number }): string =>
  `line ${warning.line}, column ${warning.column}: ${warning.message}`;
