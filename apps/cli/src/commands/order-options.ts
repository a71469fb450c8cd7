import { DomainError, parseUsdc } from '@gridbourse/kernel';
import type { ManifestRequest, WorkloadClass } from '@gridbourse/sdk';
import { type Command, Option } from 'commander';
import { readFileSync } from 'node:fs';
import { wholeNumber } from '../arguments.ts';
import { parseWeights, TERMS } from './weights.ts';

const PROFILES = ['cheapest', 'balanced', 'fastest', 'nearest'] as const;
const CLASSES: readonly WorkloadClass[] = ['general', 'language', 'vision', 'speech', 'recommendation'];

export type OrderOptions = {
  file: string;
  job?: boolean;
  duration?: string;
  maxRate?: string;
  profile?: (typeof PROFILES)[number];
  weights?: string;
  class?: WorkloadClass;
  region?: string[];
  tier?: number;
  maxProviders?: number;
};

/** The options that say what is wanted; the same for a quote and for an order. */
export const withOrderOptions = (command: Command): Command =>
  command
    .requiredOption('-f, --file <path>', 'manifest: Akash SDL or Spheron ICL; "-" reads standard input')
    .option('--job', 'run to completion, then end the lease')
    .option('--duration <time>', 'how long to lease, like 90s, 30m, 2h, 1d (default: what the manifest says)')
    .option(
      '--max-rate <usdc>',
      "the most to pay per hour for everything together (default: the manifest's prices)",
    )
    .addOption(new Option('--profile <name>', 'what matters most').choices(PROFILES))
    .option(
      '--weights <term=weight,…>',
      `how much each term of the score counts, like cost=0.7,performance=0.3 (${TERMS.join(', ')}); others count nothing`,
    )
    .addOption(
      new Option('--class <name>', 'the kind of work by which the speed of GPUs is compared').choices(
        CLASSES,
      ),
    )
    .option('--region <id...>', 'only these regions')
    .option('--tier <n>', 'worst provider tier that will do, 1 (best) to 7', wholeNumber(1, 7))
    .option(
      '--max-providers <n>',
      'each group may be divided among up to so many providers of one region',
      wholeNumber(1, 16),
    );

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** @throws DomainError `invalid_duration` */
export const parseDuration = (text: string): number => {
  const match = /^(\d{1,9})(s|m|h|d)$/.exec(text);
  const seconds = match ? Number(match[1]) * UNITS[match[2]!]! : 0;
  if (seconds > 0) return seconds;
  throw new DomainError(
    'invalid',
    'invalid_duration',
    `"${text}" is not a duration: expected a whole number and s, m, h or d, like 90s`,
  );
};

const readManifest = (path: string): string => {
  try {
    return readFileSync(path === '-' ? 0 : path, 'utf8');
  } catch (error) {
    throw new DomainError(
      'invalid',
      'unreadable_file',
      `${path} cannot be read: ${(error as Error).message}`,
    );
  }
};

export const manifestRequest = (options: OrderOptions): ManifestRequest => {
  const request: ManifestRequest = { manifest: readManifest(options.file) };
  if (options.job) request.run = 'job';
  if (options.duration !== undefined) request.durationSeconds = parseDuration(options.duration);
  if (options.maxRate !== undefined) {
    parseUsdc(options.maxRate);
    request.maxRateUsdcPerHour = options.maxRate;
  }
  if (options.profile !== undefined) request.profile = options.profile;
  if (options.weights !== undefined) request.weights = parseWeights(options.weights);
  if (options.class !== undefined) request.workloadClass = options.class;
  if (options.region !== undefined) request.regions = options.region;
  if (options.maxProviders !== undefined) request.maxProviders = options.maxProviders;
  if (options.tier !== undefined) request.tierFloor = options.tier;
  return request;
};
