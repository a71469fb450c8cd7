import type { WorkloadSecrets, WorkloadSpec } from '@gridbourse/events';
import type { Micros } from '@gridbourse/kernel';
import type { PriceTable } from './price-table.ts';

/** What the caller knows or wants beside the text of the manifest. Every one of them is explicit in the result. */
export type ManifestOptions = {
  /** Prices of tokens; entries given here replace those of `defaultPriceTable`. */
  readonly usdPerToken?: PriceTable;
  /** Whether the workload runs until it is ended or to completion. Manifests cannot say it. Default `service`. */
  readonly run?: 'service' | 'job';
  /** Replaces the manifest's own duration. Akash manifests have none. */
  readonly durationSeconds?: number;
  /** Used, with a warning, when neither manifest nor `durationSeconds` says one. Default 3600. */
  readonly defaultDurationSeconds?: number;
  /** Replaces every price in the manifest: the most for the whole workload, micro-USDC per hour. */
  readonly maxRateMicrosPerHour?: Micros;
  /** Replaces the regions of every placement. */
  readonly regions?: readonly string[];
  /** Worst tier that will do, 1 (best) to 7; replaces the manifest's own. */
  readonly tierFloor?: number;
  /** A name for the workload when the manifest has none. */
  readonly name?: string;
};

/** Something that was understood and could not be honoured as written, said out loud. */
export type ManifestWarning = {
  /** Stable, snake_case. */
  readonly code: string;
  readonly pointer: string;
  readonly message: string;
  /** 1-based. */
  readonly line: number;
  readonly column: number;
};

export type ParsedManifest = {
  /** Satisfies `workloadSpec` of the published language. No values of secrets in it. */
  readonly spec: WorkloadSpec;
  /** Values by service name; null when there are none. To be sealed at once, never logged or stored. */
  readonly secrets: WorkloadSecrets | null;
  readonly warnings: readonly ManifestWarning[];
};
